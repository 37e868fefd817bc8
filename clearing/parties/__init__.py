"""Who takes part, and on what terms: merchants, programs, members, API keys, agreements."""
