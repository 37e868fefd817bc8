"""Audits in the console: asked for by an auditor, watched, cancelled, resumed, read. The audit is the real command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from console.audits.job import command_of
from console.audits.runs import Busy, Runs
from console.settings import Settings, load_settings
from pages.forms.form import KEY
from scripts.dev.services import free_port
from tests.console.sending import send_form
from tests.console.site import Person, Site
