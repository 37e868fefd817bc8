"""The staff's pages, below /staff: a page is one folder and one line in `loyalty.pages.pages`."""
