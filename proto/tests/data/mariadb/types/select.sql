SELECT id, u, i FROM types.natives;
SELECT id, SHA2(CONVERT(v USING utf8mb4), 256), SHA2(t, 256), SHA2(b, 256), SHA2(w, 256) FROM types.compressions;
