"""A schema with one of everything that a copy may lose, for both vendors; statements to be run one by one."""

from topology.servers import Vendor

# A session in which nothing is refused that a database from long ago may hold.
SESSION = (
    "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', "
    "time_zone = '+02:00', foreign_key_checks = 0"
)

_SCHEMAS = (
    "CREATE DATABASE zoo CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "CREATE DATABASE `odd ``na-me'ü%s` CHARACTER SET latin1",
    "CREATE DATABASE empty_schema",
    "USE zoo",
)

_ACCOUNTS = (
    "CREATE USER 'app'@'%' IDENTIFIED BY 'app''s \"pass\\\\word'",
    "CREATE USER 'o''dd'@'10.0.%' IDENTIFIED BY 'x' REQUIRE SSL",
    "CREATE USER locked@localhost IDENTIFIED BY 'x' WITH MAX_QUERIES_PER_HOUR 7 ACCOUNT LOCK",
    "CREATE ROLE reader, writer",
    "GRANT SELECT ON zoo.* TO reader",
    "GRANT reader TO writer",
    "GRANT INSERT, UPDATE ON zoo.* TO writer",
    "GRANT writer TO 'app'@'%'",
    "GRANT SELECT (id), UPDATE (id) ON zoo.numbers TO 'o''dd'@'10.0.%'",
    "GRANT ALL ON `odd ``na-me'ü%s`.* TO 'app'@'%' WITH GRANT OPTION",
    "GRANT PROCESS ON *.* TO 'app'@'%'",
)

_TABLES = (
    """CREATE TABLE numbers (id INT NOT NULL, ti TINYINT, su SMALLINT UNSIGNED, mi MEDIUMINT, bi BIGINT,
       bu BIGINT UNSIGNED, de DECIMAL(65,30), fl FLOAT, fd FLOAT(7,2), db DOUBLE, dd DOUBLE(10,3), b1 BIT(1),
       b64 BIT(64), ye YEAR, bo BOOL, zf INT(8) ZEROFILL, PRIMARY KEY (id DESC))""",
    """INSERT INTO numbers VALUES
       (0,-128,65535,-8388608,-9223372036854775808,18446744073709551615,
        12345678901234567890123456789012345.123456789012345678901234567890,
        1.1754943e-38,12345.67,2.2250738585072014e-308,1234567.891,b'1',
        b'1111111111111111111111111111111111111111111111111111111111111111',1901,1,42),
       (1,127,0,8388607,9223372036854775807,9007199254740993,-0.000000000000000000000000000001,16777217,-0.01,
        1.7976931348623157e308,-0.001,b'0',0x276D0A00,0,0,0),
       (2,0,0,0,0,0,0,3.4028234e38,0,0.1e0+0.2e0,0,b'0',b'0',2155,NULL,99999999),
       (3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
       (4,1,1,1,1,1,1,-0.1,99999.99,-0e0,0,1,1,1999,1,1), (5,1,1,1,1,1,1,0.333333333,1,1/3e0,0,1,1,70,1,1)""",
    """CREATE TABLE strings (id INT AUTO_INCREMENT PRIMARY KEY, c CHAR(5), v VARCHAR(50), l1 TEXT CHARACTER SET latin1,
       u16 VARCHAR(20) CHARACTER SET utf16, uc TEXT CHARACTER SET ucs2, u32 CHAR(5) CHARACTER SET utf32,
       sj TEXT CHARACTER SET sjis, gb TEXT CHARACTER SET gbk, ko VARCHAR(9) CHARACTER SET koi8r,
       u3 TEXT CHARACTER SET utf8mb3, bi BINARY(5), vb VARBINARY(300), tb TINYBLOB, lb LONGBLOB, lt LONGTEXT,
       KEY (v(3)), FULLTEXT KEY ft (lt), KEY (lb(10))) COMMENT='it''s "quoted" \\\\ and
       split'""",
    """INSERT INTO strings VALUES
       (1,'a ','quote'' " \\\\ \\n \\0 \\Z \\r','é€',_utf16 0xD83DDE00,_ucs2 0x00E90041,'ü',_sjis 0x835C5C,_gbk 0xBF5C,
        _koi8r 0xC1C2,'ü',0x6100,0x00FF275C,'',REPEAT(0x00275C,1000),'😀 lots'),
       (2,'','','','','','','','','','','','','','',''),
       (3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
       (4,'😀','%s %d %%','x''41''','NULL',0x0041,'\\\\','~','~','NULL','0x41','NULL  ','NULL','x''',
        UNHEX(REPEAT('27',9)),'')""",
    "CREATE TABLE choices (id INT PRIMARY KEY, e ENUM('','a','ü''\"','1') CHARACTER SET latin1, "
    "n ENUM('x','y') NOT NULL, s SET(" + ",".join(f"'m{n}'" for n in range(64)) + "))",
    "INSERT INTO choices VALUES (1,'a','x','m0,m63'),(2,'','y',''),(3,NULL,'x',NULL),(4,'1','wrong','m1'),"
    "(5,'wrong','y','m53,m54,m62'),(6,'ü''\"','x','m5')",
    """CREATE TABLE times (id INT PRIMARY KEY, d DATE, t TIME(6), dt DATETIME(6), ts TIMESTAMP(3) NULL,
       tn TIMESTAMP NOT NULL, tu TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
       tz TIMESTAMP NOT NULL DEFAULT '2001-01-01 01:01:01')""",
    """INSERT INTO times VALUES
       (1,'0000-00-00','-838:59:59','0000-00-00 00:00:00','0000-00-00','0000-00-00',0,'2038-01-19 05:14:07'),
       (2,'2024-02-31','12:00:00.000001','9999-12-31 23:59:59.999999','1970-01-01 02:00:01','2024-10-27 02:30:00',
        '2024-03-31 02:30:00','2000-01-01'),
       (3,'2024-00-10',NULL,'1000-01-01 00:00:00',NULL,'2001-02-03 04:05:06','2001-02-03 04:05:06','2001-02-03')""",
    """CREATE TABLE shapes (id INT PRIMARY KEY, g GEOMETRY, p POINT NOT NULL, l LINESTRING, c GEOMETRYCOLLECTION,
       SPATIAL KEY (p))""",
    """INSERT INTO shapes VALUES (1,ST_GeomFromText('POLYGON((0 0,0 3,3 3,0 0))'),ST_GeomFromText('POINT(1.5 -2)'),
       ST_GeomFromText('LINESTRING(0 0,1 1)'),ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,2 2))')),
       (2,NULL,ST_GeomFromText('POINT(0 0)',4326),NULL,NULL)""",
    "CREATE TABLE documents (id INT PRIMARY KEY, j JSON, k JSON NOT NULL)",
    """INSERT INTO documents VALUES (1,'{"a": [1, 2.5, null, true, "ü😀\\\\"\\\\\\\\"], "": {}}','[]'),(2,NULL,'"x"'),
       (3,'18446744073709551615','1e100'),(4,'null','"\\\\u0000"')""",
    """CREATE TABLE derived (a INT, virt INT GENERATED ALWAYS AS (a * 2) VIRTUAL, b VARCHAR(20),
       stor VARCHAR(41) GENERATED ALWAYS AS (CONCAT(b, '-', b)) STORED, hidden INT INVISIBLE DEFAULT 7,
       dflt INT DEFAULT (1 + 2), CONSTRAINT positive CHECK (a > 0), KEY (virt), UNIQUE KEY (stor))""",
    "INSERT INTO derived (a, b, hidden) VALUES (1,'x',1),(2,'y',NULL),(3,NULL,DEFAULT)",
    "CREATE TABLE keyless (a INT, b VARCHAR(9))",
    "INSERT INTO keyless VALUES (1,'same'),(1,'same'),(1,'same'),(NULL,NULL),(NULL,NULL)",
    "CREATE TABLE counted (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v INT) AUTO_INCREMENT = 1000",
    "INSERT INTO counted VALUES (0, 1), (NULL, 2), (77, 3)",
    """CREATE TABLE parts (id INT, y INT, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) SUBPARTITION BY HASH (id)
       SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE)""",
    "INSERT INTO parts VALUES (1,1999),(2,2000),(3,2024)",
    """CREATE TABLE aaa_child (id INT PRIMARY KEY, parent INT, self INT,
       CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES zzz_parent (id) ON DELETE CASCADE,
       CONSTRAINT to_self FOREIGN KEY (self) REFERENCES aaa_child (id) ON UPDATE SET NULL)""",
    """CREATE TABLE zzz_parent (id INT PRIMARY KEY, child INT,
       CONSTRAINT to_child FOREIGN KEY (child) REFERENCES aaa_child (id))""",
    "INSERT INTO aaa_child VALUES (1,1,2),(2,NULL,1),(3,999,NULL)",
    "INSERT INTO zzz_parent VALUES (1,1)",
    """CREATE TABLE `odd ``na-me'ü%s`.`sel``ect 'x' %s "ü` (`col``umn` INT, `%s` INT, `from` INT, `a b"c'd` INT,
       `zoo_id` INT, KEY `i``x` (`col``umn`),
       CONSTRAINT `f``k` FOREIGN KEY (`zoo_id`) REFERENCES zoo.zzz_parent (id))""",
    """INSERT INTO `odd ``na-me'ü%s`.`sel``ect 'x' %s "ü` VALUES (1,2,3,4,1)""",
    f"CREATE TABLE `odd ``na-me'ü%s`.`{'n' * 64}` (`{'c' * 64}` INT PRIMARY KEY)",
    "CREATE TABLE old_style (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=MyISAM",
    "INSERT INTO old_style VALUES (1,'one'),(2,NULL)",
    "CREATE TABLE merged (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=MRG_MyISAM UNION=(old_style) INSERT_METHOD=LAST",
    "CREATE TABLE fleeting (id INT PRIMARY KEY) ENGINE=MEMORY",
    "INSERT INTO fleeting VALUES (1),(2)",
    "CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, h CHAR(64), n DOUBLE, f FLOAT, KEY (h))",
    """INSERT INTO many (h, n, f) WITH RECURSIVE s AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM s WHERE i < 1000)
       SELECT SHA2(a.i * 1000 + b.i, 256), EXP(RAND(a.i) * 100), EXP(RAND(b.i) * 20) FROM s a JOIN s b ON b.i <= 20""",
    "CREATE TABLE empty_table (id INT PRIMARY KEY)",
)

_OBJECTS = (
    "CREATE DEFINER='app'@'%' FUNCTION twice(x INT) RETURNS INT DETERMINISTIC SQL SECURITY INVOKER RETURN x * 2",
    "CREATE PROCEDURE noted(IN a VARCHAR(20), OUT b INT) READS SQL DATA COMMENT 'ü ''x''' "
    "BEGIN /* kept */ SET b = 1; END",
    "CREATE VIEW zzz_view AS SELECT id, twice(id) AS t, 'ü' AS u FROM numbers WHERE id > 0 WITH CASCADED CHECK OPTION",
    "CREATE ALGORITHM=MERGE DEFINER='app'@'%' SQL SECURITY INVOKER VIEW aaa_needs_zzz AS SELECT * FROM zzz_view",
    "CREATE TRIGGER first_one BEFORE INSERT ON counted FOR EACH ROW SET NEW.v = NEW.v + 100",
    "CREATE DEFINER='app'@'%' TRIGGER another BEFORE INSERT ON counted FOR EACH ROW "
    "FOLLOWS first_one SET NEW.v = -NEW.v",
    """CREATE EVENT `on completion preserve enable` ON SCHEDULE EVERY 1 HOUR STARTS '2030-01-01 00:00:00'
       ON COMPLETION PRESERVE ENABLE COMMENT 'ON COMPLETION PRESERVE ENABLE' DO DELETE FROM zoo.empty_table""",
    "CREATE EVENT sleeping ON SCHEDULE AT '2037-01-01 00:00:00' DISABLE DO SET @x = 1",
    "SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', character_set_client = latin1, "
    "collation_connection = latin1_german1_ci",
    # Sent as UTF-8, the server reads two latin1 characters: they have to arrive as those two.
    """CREATE FUNCTION "quoted one"() RETURNS VARCHAR(20) DETERMINISTIC RETURN 'é' || 'x'""",
    "SET NAMES utf8mb4",
    SESSION,
    "GRANT EXECUTE ON FUNCTION zoo.twice TO 'o''dd'@'10.0.%'",
    "GRANT EXECUTE ON PROCEDURE zoo.noted TO reader",
    "CREATE FUNCTION old_collation(x VARCHAR(9)) RETURNS VARCHAR(9) DETERMINISTIC RETURN x",
    "ALTER DATABASE zoo COLLATE utf8mb4_bin",
)

_MARIADB = (
    "CREATE SEQUENCE plain_seq START WITH 10 INCREMENT BY 5",
    "CREATE SEQUENCE cycling MINVALUE 1 MAXVALUE 3 CYCLE CACHE 2",
    "SELECT NEXTVAL(plain_seq), NEXTVAL(cycling)",
    "SELECT NEXTVAL(cycling)",
    "SELECT NEXTVAL(cycling)",
    "SELECT NEXTVAL(cycling)",
    "CREATE TABLE from_seq (id INT DEFAULT NEXTVAL(plain_seq) PRIMARY KEY, v INT)",
    "INSERT INTO from_seq (v) VALUES (1), (2)",
    "CREATE TABLE modern (id UUID PRIMARY KEY, i6 INET6, i4 INET4, z LONGTEXT COMPRESSED)",
    "INSERT INTO modern VALUES "
    "('123e4567-e89b-12d3-a456-426655440000','2001:db8::ff00:42:8329','192.0.2.1',REPEAT('z',9999)),"
    "('00000000-0000-0000-0000-000000000000',NULL,NULL,'')",
    "CREATE TABLE versioned (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING",
    "INSERT INTO versioned VALUES (1,1),(2,1)",
    "UPDATE versioned SET v = 2 WHERE id = 1",
    "DELETE FROM versioned WHERE id = 2",
    """CREATE TABLE periods (id INT, b DATE, e DATE, since TIMESTAMP(6) GENERATED ALWAYS AS ROW START,
       until TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (since, until), PERIOD FOR valid (b, e),
       UNIQUE (id, valid WITHOUT OVERLAPS)) WITH SYSTEM VERSIONING""",
    "INSERT INTO periods (id, b, e) VALUES (1,'2020-01-01','2021-01-01'),(1,'2021-01-01','2022-01-01')",
    "UPDATE periods SET e = '2023-01-01' WHERE b = '2021-01-01'",
    "CREATE TABLE aria_table (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=Aria",
    "INSERT INTO aria_table VALUES (1,'one')",
    "SET SESSION sql_mode = ORACLE",
    "CREATE PACKAGE pkg AS FUNCTION f RETURN INT; END",
    "CREATE PACKAGE BODY pkg AS FUNCTION f RETURN INT AS BEGIN RETURN 1; END; END",
    SESSION,
)

_MYSQL = (
    "CREATE TABLE functional (id INT PRIMARY KEY, j JSON, s VARCHAR(20), KEY ((LOWER(s))), KEY hidden (s) INVISIBLE,"
    " KEY multi ((CAST(j->'$.t' AS UNSIGNED ARRAY))), CHECK (id > 0) NOT ENFORCED)",
    """INSERT INTO functional VALUES (1,'{"t": [1, 2]}','A'),(2,NULL,NULL)""",
    "CREATE TABLE projected (id INT PRIMARY KEY, p POINT NOT NULL SRID 4326, "
    "u BINARY(16) DEFAULT (UUID_TO_BIN(UUID())))",
    "INSERT INTO projected (id, p) VALUES (1, ST_SRID(POINT(10, 20), 4326))",
    "SET SESSION sql_generate_invisible_primary_key = 1",
    "CREATE TABLE gipk (v INT)",
    "SET SESSION sql_generate_invisible_primary_key = 0",
    "INSERT INTO gipk VALUES (5),(5)",
)


_DEFAULT_ROLE = {
    Vendor.MARIADB: ("SET DEFAULT ROLE writer FOR 'app'@'%'",),
    Vendor.MYSQL: ("ALTER USER 'app'@'%' DEFAULT ROLE writer", "ALTER USER 'app'@'%' COMMENT 'ü''s'"),
}


def statements(vendor: Vendor) -> tuple[str, ...]:
    """Everything, in an order in which it can be created."""
    own = _MARIADB if vendor is Vendor.MARIADB else _MYSQL
    return (SESSION, *_SCHEMAS, *_ACCOUNTS[:4], *_TABLES, *own, *_ACCOUNTS[4:], *_DEFAULT_ROLE[vendor], *_OBJECTS)
