"""`python -m loyalty` is the command `loyalty`."""

from loyalty.commands import main

if __name__ == "__main__":
    main()
