"""The command `loyalty`. It imports what a command needs when it runs, so `--help` is quick."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from loyalty.kit.logs import configure as configure_logs
from loyalty.kit.settings import Settings, WrongSettings, load_settings
from loyalty.staff.models import Role

DESCRIPTION = """
Runs a merchant's loyalty programme. Its settings are environment variables that begin with LOYALTY_, or the file that
LOYALTY_ENV_FILE names.
"""
FOUND = 1
"""Exit code of `loyalty check` if it found something."""
CANNOT = 2
"""Exit code if a command cannot begin: settings, schema."""
_STOP_SECONDS = 30


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; the exit code says how it went."""
    chosen = _parser().parse_args(arguments)
    configure_logs()
    run: Callable[[Settings, argparse.Namespace], int] = chosen.run
    try:
        sys.exit(run(load_settings(), chosen))
    except WrongSettings as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(CANNOT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loyalty", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[Settings, argparse.Namespace], int], says: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=says, description=says)
        command.set_defaults(run=run)
        return command

    add("migrate", _migrate, "Brings the database to this release's schema. Safe to repeat.")
    add("serve", _serve, "Serves the API until SIGTERM or SIGINT.")
    add("send", _send, "Sends wishes to the network until SIGTERM or SIGINT. Several may run.")
    add(
        "notify",
        _notify,
        "Sends customers their messages, by the channels of LOYALTY_CHANNELS_FILE, until SIGTERM or SIGINT. Several may run.",
    )
    add(
        "listen",
        _listen,
        "Listens to devices over MQTT until SIGTERM or SIGINT. Needs LOYALTY_MQTT_URL. One at a time.",
    )
    add(
        "worker",
        _worker,
        "Runs the timed jobs (Celery with its clock) until SIGTERM or SIGINT. Needs LOYALTY_BROKER_URL.",
    )
    add("check", _check, "Compares with the network what is new since the last check; 1 if something was found.")
    add("evaluate-again", _evaluate_again, "Evaluates the sales that no rule set covered, of which one does by now.")
    till_file = add(
        "till-file",
        _till_file,
        "Books what a till's export says, and says what became of it; 1 if something was not booked. Safe to repeat.",
    )
    till_file.add_argument("file", type=Path, metavar="FILE", help="CSV, text or .xlsx")
    till_file.add_argument("--station", required=True, help="the station whose till it is, such as S17")
    till_file.add_argument(
        "--mapping",
        default="station",
        help="a mapping file, as `tongdui till inspect` proposes it, or the name of one; by default %(default)s",
    )
    add(
        "review-tiers",
        _review_tiers,
        "Has every customer stand where they belong today, as the worker does each night.",
    )
    add(
        "give-birthday-gifts",
        _give_birthday_gifts,
        "Gives gifts for birthdays of the last days, as the worker does each morning.",
    )
    add(
        "count-station-days",
        _count_station_days,
        "Counts what stations sold on the days of which something came, as the worker does each night.",
    )
    add(
        "up",
        _up,
        "Migrates, then runs `serve`, `send`, `notify` and, with a broker, `worker` until SIGTERM or SIGINT: a whole programme.",
    )
    staff = commands.add_parser("staff", help="People, and keys of tills and devices.").add_subparsers(
        required=True, metavar="COMMAND"
    )
    key = staff.add_parser("add-key", help="Makes a key and prints its secret, once.")
    key.add_argument("--name", required=True, help="whose it is")
    key.add_argument("--role", required=True, choices=[role.value for role in Role if role is not Role.DEVICE])
    key.set_defaults(run=_add_key)
    invite = staff.add_parser(
        "invite", help="Invites a person to the staff pages and prints a link, with which they choose a password."
    )
    invite.add_argument("--login", required=True, help="what the person signs in with, such as lin.lan")
    invite.add_argument("--name", help="the person's name; by default the login")
    people = [role.value for role in Role if role is not Role.DEVICE]
    invite.add_argument("--role", required=True, choices=people)
    invite.set_defaults(run=_invite)
    devices = commands.add_parser("devices", help="What devices need.").add_subparsers(required=True, metavar="COMMAND")
    files = devices.add_parser(
        "mosquitto-files",
        help="Writes the files by which a mosquitto broker knows the devices that are in use now, and the programme.",
    )
    files.add_argument("directory", type=Path, metavar="DIR", help="where `passwords` and `acl` stand")
    files.set_defaults(run=_mosquitto_files)
    return parser


def _migrate(settings: Settings, _chosen: argparse.Namespace) -> int:
    from loyalty.kit.database import Database

    database = Database(settings.database_url)
    database.migrate()
    sys.stdout.write(f"the schema is {database.revision()}\n")
    database.close()
    return 0


def _serve(settings: Settings, _chosen: argparse.Namespace) -> int:
    from loyalty.app import create_app
    from loyalty.kit.database import Database
    from loyalty.kit.garbage import freeze_startup_objects
    from loyalty.serving import server_of
    from pages.assets import NotBuilt

    database = Database(settings.database_url)
    try:
        app = create_app(database, settings)
    except NotBuilt as error:
        raise WrongSettings(f"LOYALTY_STAFF_SECRET, LOYALTY_CUSTOMER_SECRET: {error}") from None
    server = server_of(app, host=settings.host, port=settings.port, trusted_proxies=settings.trusted_proxies)
    freeze_startup_objects()
    server.run()
    database.close()
    return 0 if server.started else CANNOT


def _send(settings: Settings, _chosen: argparse.Namespace) -> int:
    import loyalty.models  # noqa: F401 (all tables)
    from loyalty.kit.database import Database
    from loyalty.network.client import network_client
    from loyalty.network.daemon import Daemon
    from loyalty.network.sender import Sender

    database = Database(settings.database_url)
    with network_client(settings) as client:
        Daemon(Sender(database, client, settings), settings.poll_interval).run_until_signal()
    database.close()
    return 0


def _notify(settings: Settings, _chosen: argparse.Namespace) -> int:
    from threading import Thread

    import loyalty.models  # noqa: F401 (all tables)
    from loyalty.kit.database import Database
    from loyalty.messages.channels import Channels
    from loyalty.messages.expiring import ExpiryListener
    from loyalty.messages.messenger import Messenger
    from loyalty.network.client import network_client
    from loyalty.network.daemon import Daemon
    from loyalty.network.news import News

    channels, database = Channels.of(settings), Database(settings.database_url)
    with network_client(settings) as client:
        listener, told = ExpiryListener(database, News(client), settings.longest_pause), Event()
        Thread(target=listener.run, args=(told,), name="listener", daemon=True).start()
        Daemon(Messenger(database, channels, settings), settings.poll_interval).run_until_signal()
        told.set()
    database.close()
    return 0


def _listen(settings: Settings, _chosen: argparse.Namespace) -> int:
    import loyalty.models  # noqa: F401 (all tables)
    from loyalty.kit.database import Database
    from loyalty.kit.garbage import freeze_startup_objects
    from loyalty.mqtt.listener import Listener

    database = Database(settings.database_url)
    freeze_startup_objects()
    try:
        Listener(database, settings).run_until_signal()
    finally:
        database.close()
    return 0


def _mosquitto_files(settings: Settings, chosen: argparse.Namespace) -> int:
    import loyalty.models  # noqa: F401 (all tables)
    from loyalty.devices.broker import write_files
    from loyalty.devices.service import DeviceService
    from loyalty.kit.database import Database

    if not settings.mqtt_secret:
        raise WrongSettings("LOYALTY_MQTT_PASSWORD: set it, so that the broker can know the programme")
    database = Database(settings.database_url)
    with database.reading() as session:
        found = DeviceService(session).of_broker()
    database.close()
    try:
        write_files(chosen.directory, settings.mqtt_user, settings.mqtt_secret, found)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT
    sys.stdout.write(f"{len(found)} devices; have the broker read them: systemctl reload mosquitto\n")
    return 0


def _worker(settings: Settings, _chosen: argparse.Namespace) -> int:
    if not settings.broker_url:
        raise WrongSettings("LOYALTY_BROKER_URL: the worker needs a broker, such as redis://127.0.0.1:6379/0")
    from loyalty.jobs.app import create_app
    from loyalty.kit.garbage import freeze_startup_objects

    app = create_app(settings)
    freeze_startup_objects()  # before the processes part: they share what nobody touches
    app.worker_main(["worker", "--beat", "--loglevel=INFO", "--concurrency=1"])


def _check(settings: Settings, _chosen: argparse.Namespace) -> int:
    from loyalty.jobs.work import check

    tally = check(settings)
    sys.stdout.write(f"{tally.wishes} wishes and {tally.movements} movements compared, {tally.found} new differences\n")
    return FOUND if tally.found else 0


def _review_tiers(settings: Settings, _chosen: argparse.Namespace) -> int:
    from loyalty.jobs.work import review_tiers

    review_tiers(settings)
    return 0


def _give_birthday_gifts(settings: Settings, _chosen: argparse.Namespace) -> int:
    from loyalty.jobs.work import give_birthday_gifts

    give_birthday_gifts(settings)
    return 0


def _count_station_days(settings: Settings, _chosen: argparse.Namespace) -> int:
    from loyalty.jobs.work import count_station_days

    count_station_days(settings)
    return 0


def _evaluate_again(settings: Settings, _chosen: argparse.Namespace) -> int:
    from loyalty.jobs.work import evaluate_again

    seen, earned = evaluate_again(settings)
    sys.stdout.write(f"{seen} sales without a rule set, {earned} of them have earned now\n")
    return 0


def _till_file(settings: Settings, chosen: argparse.Namespace) -> int:
    import loyalty.models  # noqa: F401 (all tables)
    from loyalty.kit.database import Database
    from loyalty.kit.errors import Refusal
    from loyalty.kit.garbage import freeze_startup_objects
    from loyalty.till_files.reports import take_in_and_tell

    database = Database(settings.database_url)
    freeze_startup_objects()
    try:
        return take_in_and_tell(database, chosen.file, chosen.station, chosen.mapping, settings.till_mappings)
    except (OSError, Refusal) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT
    finally:
        database.close()


def _add_key(settings: Settings, chosen: argparse.Namespace) -> int:
    import loyalty.models  # noqa: F401 (all tables)
    from loyalty.audit_log.service import COMMAND_LINE
    from loyalty.kit.database import Database
    from loyalty.staff.service import KeyService

    database = Database(settings.database_url)
    with database.session.begin() as session:
        key, secret = KeyService(session).add(chosen.name, Role(chosen.role), actor=COMMAND_LINE)
    database.close()
    sys.stdout.write(f"{key.id} {key.role}\n{secret}\n")
    return 0


def _invite(settings: Settings, chosen: argparse.Namespace) -> int:
    import loyalty.models  # noqa: F401 (all tables)
    from loyalty.audit_log.service import COMMAND_LINE
    from loyalty.kit.database import Database
    from loyalty.kit.errors import Refusal
    from loyalty.people.service import LINK_DAYS, PeopleService

    if not settings.staff_password:
        raise WrongSettings(
            "LOYALTY_STAFF_SECRET: there are no staff pages without it; set it to 16 characters or more, such as those "
            "of `openssl rand -hex 32`"
        )
    database = Database(settings.database_url)
    try:
        with database.session.begin() as session:
            name = chosen.name or chosen.login
            person, link = PeopleService(session).invite(chosen.login, name, Role(chosen.role), actor=COMMAND_LINE)
    except Refusal as error:
        sys.stderr.write(f"{error.detail}\n")
        return CANNOT
    finally:
        database.close()
    sys.stdout.write(f"{person.id} {person.role}, good for {LINK_DAYS} days and once:\n")
    sys.stdout.write(f"{settings.origin}/staff/join?link={link}\n")
    return 0


def _up(settings: Settings, chosen: argparse.Namespace) -> int:
    """Each part is a process of its own. When one ends, so do the others."""
    import signal

    from loyalty.network.client import network_client

    network_client(settings).close()  # wrong settings are told now, and by one process
    _migrate(settings, chosen)
    parts = ("serve", "send", "notify", *(["worker"] if settings.broker_url else []))
    children = [subprocess.Popen([sys.executable, "-m", "loyalty", part]) for part in parts]  # noqa: S603
    told = Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda _signal, _frame: told.set())
    while not told.wait(0.1) and all(child.poll() is None for child in children):
        pass
    for child in children:
        child.terminate()
    codes = [_ended(child) for child in children]
    return 0 if told.is_set() else max(1, *map(abs, codes))


def _ended(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
