// Runs statements with MariaDB's driver, which sends the next command before the last one is answered.
'use strict';

const mariadb = require('mariadb');
const { TABLE, COLUMNS, INSERT, ROW, errorOf, run } = require('./common');

async function values(connection, found) {
  await connection.query('DROP TABLE IF EXISTS item');
  await connection.query(TABLE);
  found.ids = [(await connection.query(INSERT, ROW)).insertId, (await connection.execute(INSERT, ROW)).insertId];
  found.text = await connection.query('SELECT * FROM item ORDER BY id');
  found.prepared = [];
  for (const id of [1, 2, 3]) found.prepared.push(await connection.execute('SELECT * FROM item WHERE id = ?', [id]));
  const content = Buffer.alloc(1024 * 1024, 'ab');
  found.large = [];
  for (const way of ['query', 'execute']) {
    const { insertId } = await connection[way]('INSERT INTO item (content) VALUES (?)', [content]);
    const rows = await connection[way]('SELECT content FROM item WHERE id = ?', [insertId]);
    found.large.push(content.equals(rows[0].content));
  }
  found.several = await connection.query('SELECT 1 AS a; SELECT 2 AS b; DO 1; SELECT 3 AS c');
  found.procedure = await connection.query('CALL several(7)');
  found.preparedProcedure = await connection.execute('CALL several(?)', [8]);
}

async function bulk(connection, found) {
  const rows = Array.from({ length: 50 }, () => ROW);
  found.batch = await connection.batch(INSERT, rows);
  found.batched = await connection.query(`SELECT ${COLUMNS} FROM item ORDER BY id DESC LIMIT 2`);
  found.batchError = await errorOf(() => connection.batch('INSERT INTO item (id) VALUES (?)', [[500], [1], [501]]));
}

async function transactions(connection, found) {
  found.counts = [];
  for (const end of ['rollback', 'commit']) {
    await connection.beginTransaction();
    await connection.execute('INSERT INTO item (nothing) VALUES (?)', [77]);
    await connection[end]();
    found.counts.push((await connection.query('SELECT COUNT(*) AS n FROM item WHERE nothing = 77'))[0].n);
  }
}

async function pipelined(connection, found) {
  const numbers = Array.from({ length: 30 }, (_, index) => index);
  const answers = numbers.map((n) => n % 7 === 3
    ? errorOf(() => connection.query('SELECT * FROM no_such_table'))
    : connection[n % 2 ? 'query' : 'execute']('SELECT ? + COUNT(*) AS n FROM item', [n]));
  found.pipelined = await Promise.all(answers);
  found.streamed = [];
  for await (const row of connection.queryStream('SELECT id FROM item ORDER BY id')) found.streamed.push(row.id);
}

async function aboutTheConnection(connection, found) {
  await connection.ping();
  await connection.query('SET @mine = 1');
  await connection.reset();
  found.reset = await connection.query('SELECT @mine AS mine, DATABASE() AS db');
  found.version = connection.serverVersion();
}

async function errors(connection, found) {
  found.errors = [
    await errorOf(() => connection.query('SELEC 1')),
    await errorOf(() => connection.execute('SELECT no_such_column FROM item WHERE id = ?', [1])),
    await errorOf(() => connection.execute('INSERT INTO item (id) VALUES (?)', [1])),
  ];
}

async function pool(options, found) {
  const connections = mariadb.createPool({ ...options, connectionLimit: 3 });
  found.pool = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => connections.query('SELECT ? AS n', [n])));
  await connections.end();
}

run(async ({ options }) => {
  const found = {};
  const settings = { ...options, dateStrings: true, bigIntAsNumber: true, insertIdAsNumber: true };
  const connection = await mariadb.createConnection({ ...settings, multipleStatements: true });
  for (const part of [values, bulk, transactions, pipelined, aboutTheConnection, errors]) await part(connection, found);
  await connection.end();
  await pool(settings, found);
  found.refused = (await errorOf(() => mariadb.createConnection({ ...options, password: 'wrong' }))).slice(0, 2);
  return found;
});
