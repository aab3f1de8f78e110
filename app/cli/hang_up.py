"""A terminal that closes (SIGHUP) ends what runs in it as SIGTERM does."""

import signal


def end_on_hang_up() -> None:
    """From now on; but where SIGHUP is ignored, as under nohup, it stays so."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
