SELECT * FROM signedness.years;
SELECT * FROM signedness.first;
