CREATE VIEW objects AS
SELECT CAST(name AS TEXT)                         AS name,
       size,
       verdict,
       losses,
       iif(sha256_part_size IS NULL, lower(hex(sha256)), '')     AS sha256,
       iif(sha256_part_size IS NULL, '', lower(hex(sha256)))     AS composite_sha256,
       sha256_part_size                           AS part_size,
       source_etag,
       datetime(source_modified, 'unixepoch')     AS source_modified,
       destination_etag,
       destination_version,
       lower(hex(attributes))                     AS attributes,
       lower(hex(destination_attributes))         AS destination_attributes,
       attempts,
       run,
       datetime(started / 1000, 'unixepoch')      AS started,
       datetime(finished / 1000, 'unixepoch')     AS finished
FROM object;
CREATE VIEW troubles AS
SELECT CAST(name AS TEXT)                         AS name,
       class,
       kind,
       message,
       losses,
       size,
       source_etag,
       attempts,
       run,
       datetime(at / 1000, 'unixepoch')           AS at
FROM trouble;
CREATE VIEW runs AS
SELECT id,
       kind,
       command,
       datetime(started / 1000, 'unixepoch')      AS started,
       datetime(finished / 1000, 'unixepoch')     AS finished,
       outcome,
       host,
       pid,
       program
FROM run;
