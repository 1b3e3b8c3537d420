"""Which pictures of many are worth comparing in detail, without a detailed look at every pair."""
