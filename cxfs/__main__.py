"""python -m cxfs: the command line without an installed script."""

from cxfs.cli import main

if __name__ == "__main__":
    main()
