CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, email TEXT NOT NULL, accepts_marketing INTEGER);
INSERT INTO customers VALUES
  (1, 'anna.devries@contoso.com', 1),
  (2, 'bram.jansen@contoso.com', 0),
  (3, 'claudia.schmidt@contoso.com', 1),
  (4, 'daan.visser@contoso.com', NULL),
  (5, 'elena.garcia@contoso.com', 1),
  (6, 'francois.lefevre@contoso.com', 0);
