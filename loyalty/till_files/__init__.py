"""Till files: a till's export becomes sales and returns. The SDK reads it."""
