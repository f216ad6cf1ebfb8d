// Runs statements with mysql2, as text and prepared.
'use strict';

const mysql = require('mysql2/promise');
const { TABLE, INSERT, ROW, errorOf, run } = require('./common');

async function values(connection, found) {
  await connection.query('DROP TABLE IF EXISTS item');
  await connection.query(TABLE);
  found.ids = [(await connection.query(INSERT, ROW))[0].insertId, (await connection.execute(INSERT, ROW))[0].insertId];
  found.text = (await connection.query('SELECT * FROM item ORDER BY id'))[0];
  found.prepared = [];
  for (const id of [1, 2, 3]) {
    found.prepared.push((await connection.execute('SELECT * FROM item WHERE id = ?', [id]))[0]);
  }
  found.many = (await connection.query('INSERT INTO item (id, nothing) VALUES ?', [[[10, 1], [11, null]]]))[0];
  found.unicode = found.text[0].text;
}

async function transactions(connection, found) {
  found.counts = [];
  for (const end of ['rollback', 'commit']) {
    await connection.beginTransaction();
    await connection.execute('INSERT INTO item (nothing) VALUES (?)', [77]);
    await connection[end]();
    const [rows] = await connection.query('SELECT COUNT(*) AS n FROM item WHERE nothing = 77');
    found.counts.push(rows[0].n);
  }
}

async function large(connection, found) {
  const content = Buffer.alloc(1024 * 1024, 'ab');
  found.large = [];
  for (const way of ['query', 'execute']) {
    const [result] = await connection[way]('INSERT INTO item (content) VALUES (?)', [content]);
    const [rows] = await connection[way]('SELECT content FROM item WHERE id = ?', [result.insertId]);
    found.large.push(content.equals(rows[0].content));
  }
}

async function several(connection, found) {
  found.several = (await connection.query('SELECT 1 AS a; SELECT 2 AS b; DO 1; SELECT 3 AS c'))[0];
  found.procedure = (await connection.query('CALL several(7)'))[0];
  found.preparedProcedure = (await connection.execute('CALL several(?)', [8]))[0];
}

// Statements sent before the last one was answered: mysql2 queues them itself, and streams rows.
async function queued(connection, found) {
  const numbers = Array.from({ length: 30 }, (_, index) => index);
  const results = await Promise.all(numbers.map((n) => connection.execute('SELECT ? + COUNT(*) AS n FROM item', [n])));
  found.queued = results.map(([rows]) => rows[0].n);
  found.streamed = [];
  for await (const row of connection.connection.query('SELECT id FROM item ORDER BY id').stream()) {
    found.streamed.push(row.id);
  }
  const statement = await connection.prepare('SELECT id FROM item WHERE id < ? ORDER BY id');
  found.reused = [(await statement.execute([2]))[0], (await statement.execute([11]))[0]];
  await statement.close();
  connection.unprepare('SELECT ? + COUNT(*) AS n FROM item');
}

async function errors(connection, found) {
  found.errors = [
    await errorOf(() => connection.query('SELEC 1')),
    await errorOf(() => connection.query('SELECT * FROM no_such_table')),
    await errorOf(() => connection.execute('SELECT no_such_column FROM item WHERE id = ?', [1])),
    await errorOf(() => connection.execute('INSERT INTO item (id) VALUES (?)', [1])),
  ];
}

async function pool(options, found) {
  const connections = mysql.createPool({ ...options, connectionLimit: 3 });
  const results = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => connections.query('SELECT ? AS n', [n])));
  found.pool = results.map(([rows]) => rows[0].n);
  await connections.end();
}

run(async ({ options, first }) => {
  const found = {};
  if (first) {
    const stranger = await mysql.createConnection(first);
    found.first = (await stranger.query('SELECT CURRENT_USER() AS me'))[0];
    await stranger.end();
  }
  const connection = await mysql.createConnection({ ...options, multipleStatements: true, dateStrings: true });
  await connection.ping();
  for (const part of [values, transactions, large, several, queued, errors]) await part(connection, found);
  await connection.end();
  await pool(options, found);
  found.refused = await errorOf(() => mysql.createConnection({ ...options, password: 'wrong' }));
  return found;
});
