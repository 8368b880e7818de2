"""Sentinel: who saw which health record, when, from where and why, and what nothing ordinary explains."""

from sentinel import compiled, lean

lean.set_environment()
compiled.use()
