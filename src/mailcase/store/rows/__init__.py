"""The rows that the store and the rest exchange, as frozen data, by subject. Times are aware UTC datetimes."""
