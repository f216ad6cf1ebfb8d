<?php
// Runs statements with PHP's mysqli and PDO, whose protocol code (mysqlnd) is PHP's own.
// Reads {host, port, user, password, schema, text} from standard input, prints what came of it as one JSON object.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$to = json_decode(stream_get_contents(STDIN), true);
const TABLE = 'CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10, 2), ratio DOUBLE,'
    . ' moment DATETIME(6), text VARCHAR(200), content LONGBLOB, nothing INT) CHARACTER SET utf8mb4';

function error_of(callable $action): array
{
    try {
        $action();
    } catch (mysqli_sql_exception | PDOException $error) {
        return [$error->getCode(), $error->getMessage()];
    }
    throw new Exception('what must fail did not');
}

function connected(array $to, array $changes = []): mysqli
{
    $to = array_merge($to, $changes);
    $db = mysqli_init();
    $db->options(MYSQLI_OPT_INT_AND_FLOAT_NATIVE, 1);
    $db->real_connect($to['host'], $to['user'], $to['password'], $to['schema'], $to['port'], null, $to['flags'] ?? 0);
    $db->set_charset('utf8mb4');
    return $db;
}

function with_mysqli(array $to): array
{
    $db = connected($to);
    $db->query('DROP TABLE IF EXISTS item');
    $db->query(TABLE);
    $found = ['server' => $db->server_info];
    $insert = $db->prepare('INSERT INTO item (amount, ratio, moment, text, content, nothing) VALUES (?, ?, ?, ?, ?, ?)');
    [$amount, $ratio, $moment, $text, $content, $nothing] = ['-12.50', 0.25, '2024-02-29 23:59:59.999999', $to['text'], null, null];
    $insert->bind_param('sdssbi', $amount, $ratio, $moment, $text, $content, $nothing);
    $bytes = str_repeat("\0\xff'\\", 65536);
    foreach ([1, 2] as $time) {
        $insert->send_long_data(4, substr($bytes, 0, 100000));
        $insert->send_long_data(4, substr($bytes, 100000));
        $insert->execute();
        $found['ids'][] = $insert->insert_id;
    }
    foreach ($db->query('SELECT *, SHA2(content, 256) AS content, LENGTH(content) AS size FROM item ORDER BY id') as $row) {
        $found['text'][] = $row;
    }
    $select = $db->prepare('SELECT id, amount, ratio, moment, text, nothing FROM item WHERE id >= ? ORDER BY id');
    foreach ([0, 2, 9] as $from) {
        $select->execute([$from]);
        $found['prepared'][] = $select->get_result()->fetch_all(MYSQLI_ASSOC);
    }
    $cursor = $db->prepare('SELECT id FROM item ORDER BY id');
    $cursor->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    $cursor->execute();
    $cursor->bind_result($id);
    while ($cursor->fetch()) {
        $found['cursor'][] = $id;
    }
    $cursor->close();
    $unbuffered = $db->query('SELECT id FROM item ORDER BY id', MYSQLI_USE_RESULT);
    $found['unbuffered'] = $unbuffered->fetch_row();
    $unbuffered->free();
    $db->multi_query("SELECT 1; SELECT 2, 'x'; DO 1; CALL several(7); SELECT * FROM no_such_table");
    $found['several'] = [error_of(function () use ($db, &$found) {
        do {
            $result = $db->store_result();
            $found['results'][] = $result ? $result->fetch_all() : null;
        } while ($db->next_result());
    })];
    foreach (['rollback', 'commit'] as $end) {
        $db->begin_transaction();
        $db->query("INSERT INTO item (text) VALUES ('in a transaction')");
        $db->$end();
        $count = $db->query("SELECT COUNT(*) FROM item WHERE text = 'in a transaction'");
        $found['counts'][] = $count->fetch_row()[0];
    }
    $db->query("INSERT IGNORE INTO item (id, moment) VALUES (1, 'never')");
    $found['warnings'] = [$db->warning_count, $db->info];
    $db->query("UPDATE item SET nothing = 5 WHERE id < 3");
    $found['info'] = [$db->info, $db->affected_rows];
    $found['errors'] = [
        error_of(fn () => $db->query('SELEC 1')),
        error_of(fn () => $db->query('SELECT * FROM no_such_table')),
        error_of(fn () => $db->prepare('SELECT no_such_column FROM item WHERE id = ?')),
        error_of(fn () => $db->query('INSERT INTO item (id) VALUES (1)')),
        error_of(fn () => $db->select_db('no_such_schema')),
    ];
    $found['statistics'] = explode(':', $db->stat())[0];
    $found['asynchronous'] = asynchronous($to);
    $db->close();
    $found['refused'] = error_of(fn () => connected($to, ['password' => 'wrong']));
    return $found;
}

// Several connections that wait for their answers together.
function asynchronous(array $to): array
{
    $waiting = [];
    foreach ([1, 2, 3] as $number) {
        $db = connected($to);
        $db->query("SELECT $number + COUNT(*) FROM item", MYSQLI_ASYNC);
        $waiting[] = $db;
    }
    $found = [];
    while ($waiting) {
        $read = $failed = $refused = $waiting;
        mysqli_poll($read, $failed, $refused, 10);
        foreach ($read as $db) {
            $found[] = $db->reap_async_query()->fetch_row()[0];
            $waiting = array_filter($waiting, fn ($other) => $other !== $db);
        }
    }
    sort($found);
    return $found;
}

function with_pdo(array $to, bool $emulated): array
{
    $db = new PDO("mysql:host={$to['host']};port={$to['port']};dbname={$to['schema']};charset=utf8mb4", $to['user'],
        $to['password'], [PDO::ATTR_EMULATE_PREPARES => $emulated, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::MYSQL_ATTR_INIT_COMMAND => "SET @first = 'said'", PDO::MYSQL_ATTR_FOUND_ROWS => true]);
    $db->exec('DROP TABLE IF EXISTS item');
    $db->exec(TABLE);
    $insert = $db->prepare('INSERT INTO item (amount, text, content, nothing) VALUES (:amount, :text, :content, :nothing)');
    foreach ([['-12.50', $to['text'], "\0'", null], ['1', '', '', 7]] as $row) {
        $insert->execute(array_combine(['amount', 'text', 'content', 'nothing'], $row));
        $found['ids'][] = $db->lastInsertId();
    }
    $select = $db->prepare('SELECT id, amount, text, nothing FROM item WHERE id >= ? ORDER BY id');
    foreach ([0, 2, 9] as $from) {
        $select->execute([$from]);
        $found['rows'][] = $select->fetchAll(PDO::FETCH_ASSOC);
    }
    $found['first'] = $db->query('SELECT @first')->fetchColumn();
    $found['same value'] = $db->exec('UPDATE item SET nothing = 7 WHERE nothing = 7');
    foreach (['rollBack', 'commit'] as $end) {
        $db->beginTransaction();
        $db->exec("INSERT INTO item (text) VALUES ('in a transaction')");
        $db->$end();
        $found['counts'][] = $db->query("SELECT COUNT(*) FROM item WHERE text = 'in a transaction'")->fetchColumn();
    }
    $call = $db->query('CALL several(7)');
    do {
        $found['procedure'][] = $call->columnCount() ? $call->fetchAll(PDO::FETCH_NUM) : null;
    } while ($call->nextRowset());
    $db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
    foreach ($db->query('SELECT id FROM item ORDER BY id') as $row) {
        $found['unbuffered'][] = $row['id'];
    }
    $found['errors'] = [
        error_of(fn () => $db->query('SELEC 1')),
        error_of(fn () => $db->prepare('SELECT * FROM no_such_table WHERE id = ?')->execute([1])),
        error_of(fn () => $db->exec('INSERT INTO item (id) VALUES (1)')),
    ];
    return $found;
}

echo json_encode(['mysqli' => with_mysqli($to), 'emulated' => with_pdo($to, true), 'prepared' => with_pdo($to, false)],
    JSON_THROW_ON_ERROR);
