"""The durable record: entries are appended and read, never changed. It holds no policy."""
