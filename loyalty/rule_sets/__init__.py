"""Rule sets as they are kept: drafts, and versions that were published and never change."""
