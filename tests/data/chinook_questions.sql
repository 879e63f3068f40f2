-- Questions to the music shop, in SQL that SQLite and PostgreSQL read alike.

-- 1. How much is there?
SELECT (SELECT count(*) FROM artist) AS artists, (SELECT count(*) FROM album) AS albums,
       (SELECT count(*) FROM track) AS tracks, (SELECT count(*) FROM invoice_line) AS sold;

-- 2. Which artists have no album?
SELECT artist_id, name FROM artist WHERE artist_id NOT IN (SELECT artist_id FROM album) ORDER BY artist_id;

-- 3. Who has the most tracks?
SELECT a.name, count(*) AS tracks
FROM artist a JOIN album l ON l.artist_id = a.artist_id JOIN track t ON t.album_id = l.album_id
GROUP BY a.artist_id, a.name ORDER BY tracks DESC, a.artist_id LIMIT 5;

-- 4. Which tracks are longer than ten minutes?
SELECT track_id, name, milliseconds / 1000 AS seconds FROM track WHERE milliseconds > 600000 ORDER BY track_id;

-- 5. What does each genre earn, in cents?
SELECT g.name, CAST(round(sum(l.unit_price * l.quantity) * 100) AS INTEGER) AS cents
FROM invoice_line l JOIN track t ON t.track_id = l.track_id JOIN genre g ON g.genre_id = t.genre_id
GROUP BY g.genre_id, g.name ORDER BY cents DESC, g.genre_id;

-- 6. Who are the best customers?
SELECT c.customer_id, c.first_name || ' ' || c.last_name AS name, c.country, count(DISTINCT i.invoice_id) AS invoices
FROM customer c JOIN invoice i ON i.customer_id = c.customer_id
GROUP BY c.customer_id, c.first_name, c.last_name, c.country ORDER BY invoices DESC, c.customer_id LIMIT 7;

-- 7. Who serves how many customers, and reports to whom?
SELECT e.employee_id, e.last_name, boss.last_name AS boss, count(c.customer_id) AS customers
FROM employee e LEFT JOIN employee boss ON boss.employee_id = e.reports_to
     LEFT JOIN customer c ON c.support_rep_id = e.employee_id
GROUP BY e.employee_id, e.last_name, boss.last_name ORDER BY e.employee_id;

-- 8. Who works under Andrew Adams, and how far down?
WITH RECURSIVE staff (employee_id, level) AS (
    SELECT employee_id, 0 FROM employee WHERE reports_to IS NULL
    UNION ALL
    SELECT e.employee_id, s.level + 1 FROM employee e JOIN staff s ON e.reports_to = s.employee_id
)
SELECT level, count(*) AS people FROM staff GROUP BY level ORDER BY level;

-- 9. Which invoices are of the last month, and when?
SELECT invoice_id, invoice_date, billing_city FROM invoice
WHERE invoice_date >= '2025-12-01 00:00:00' ORDER BY invoice_id;

-- 10. Which track of each album is the longest?
SELECT album_id, track_id, name FROM (
    SELECT album_id, track_id, name, row_number() OVER (PARTITION BY album_id ORDER BY milliseconds DESC, track_id) AS place
    FROM track
) AS ranked WHERE place = 1 ORDER BY album_id LIMIT 10;

-- 11. Which playlists share tracks?
SELECT p.playlist_id, p.name, count(*) AS tracks FROM playlist p JOIN playlist_track t ON t.playlist_id = p.playlist_id
GROUP BY p.playlist_id, p.name ORDER BY tracks DESC, p.playlist_id;

-- 12. Which prices are there?
SELECT unit_price, count(*) AS tracks FROM track GROUP BY unit_price ORDER BY unit_price;

-- 13. Which names are written with letters beyond ASCII, or with quotes?
SELECT name FROM artist WHERE name LIKE '%ö%' OR name LIKE '%ã%' OR name LIKE '%''%' OR name LIKE '%/%' ORDER BY artist_id;
