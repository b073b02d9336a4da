"""`python -m tests.fake_smsc --port 8025 --ledger taken.jsonl`: prints its address, serves until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from .callbacks import Callback
from .server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_smsc", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--ledger", type=Path, help="file that gets one JSON line for each message taken")
    parser.add_argument("--login", default="login")
    parser.add_argument("--password", default="password")
    parser.add_argument("--apikey", default="apikey")
    parser.add_argument("--balance", default="1000000.00")
    parser.add_argument("--deliver-after", type=float, help="seconds until status.php says delivered")
    parser.add_argument("--whole-query-errors", action="store_true", help="status.php: error 3 for a whole question")
    parser.add_argument("--idempotent", action="store_true", help="a number is taken once under one id")
    parser.add_argument("--callback-url", help="where receipts are sent")
    parser.add_argument("--callback-secret", default="")
    parser.add_argument("--callback-delay", type=float, default=0.0, help="seconds")
    parser.add_argument("--callback-copies", type=int, default=1)
    parser.add_argument("--callback-reverse", action="store_true")
    options = vars(parser.parse_args())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    callback_options = {
        name: options.pop(f"callback_{name}") for name in ("url", "secret", "delay", "copies", "reverse")
    }
    callback = Callback(**callback_options) if callback_options["url"] else None
    serve(options.pop("port"), options.pop("ledger"), callback, **options)


if __name__ == "__main__":
    main()
