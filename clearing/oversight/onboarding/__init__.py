"""Onboarding of a merchant: what it is registered with, and the steps that find or make each part."""
