"""``python -m hashpact_server`` is ``hashpact-server``."""

from hashpact_server.cli import main

if __name__ == "__main__":
    main()
