"""`python -m graphrag` is `graphrag`."""

from graphrag.cli.main import main

if __name__ == "__main__":
    main()
