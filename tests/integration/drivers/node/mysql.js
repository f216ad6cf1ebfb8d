// Runs statements with mysqljs, the oldest of Node's drivers: text only, no caching_sha2_password.
'use strict';

const mysql = require('mysql');
const { promisify } = require('util');
const { TABLE, INSERT, ROW, errorOf, run } = require('./common');

function open(options) {
  const connection = mysql.createConnection(options);
  const query = promisify(connection.query.bind(connection));
  return { connection, query, connect: promisify(connection.connect.bind(connection)) };
}

async function values(query, found) {
  await query('DROP TABLE IF EXISTS item');
  await query(TABLE);
  found.ids = [(await query(INSERT, ROW)).insertId, (await query(INSERT, ROW)).insertId];
  found.rows = await query('SELECT * FROM item ORDER BY id');
  found.many = await query('INSERT INTO item (id, nothing) VALUES ?', [[[10, 1], [11, null]]]);
  found.changed = await query('UPDATE item SET nothing = 1 WHERE id >= 10');
  const content = Buffer.alloc(1024 * 1024, 'ab');
  const { insertId } = await query('INSERT INTO item (content) VALUES (?)', [content]);
  found.large = content.equals((await query('SELECT content FROM item WHERE id = ?', [insertId]))[0].content);
  found.several = await query('SELECT 1 AS a; SELECT 2 AS b; DO 1; SELECT 3 AS c');
  found.procedure = await query('CALL several(7)');
}

async function transactions(connection, query, found) {
  found.counts = [];
  for (const end of ['rollback', 'commit']) {
    await promisify(connection.beginTransaction.bind(connection))();
    await query('INSERT INTO item (nothing) VALUES (77)');
    await promisify(connection[end].bind(connection))();
    found.counts.push((await query('SELECT COUNT(*) AS n FROM item WHERE nothing = 77'))[0].n);
  }
}

async function queued(connection, query, found) {
  const numbers = Array.from({ length: 30 }, (_, index) => index);
  const results = await Promise.all(numbers.map((n) => query('SELECT ? + COUNT(*) AS n FROM item', [n])));
  found.queued = results.map((rows) => rows[0].n);
  found.streamed = [];
  await new Promise((resolve, reject) => connection.query('SELECT id FROM item ORDER BY id')
    .on('error', reject).on('result', (row) => found.streamed.push(row.id)).on('end', resolve));
  found.statistics = (await promisify(connection.statistics.bind(connection))()).message.split(':')[0];
  await promisify(connection.ping.bind(connection))();
}

async function errors(query, found) {
  found.errors = [
    await errorOf(() => query('SELEC 1')),
    await errorOf(() => query('SELECT * FROM no_such_table')),
    await errorOf(() => query('INSERT INTO item (id) VALUES (1)')),
  ];
}

run(async ({ options }) => {
  const found = { refused: await errorOf(() => open({ ...options, password: 'wrong' }).connect()) };
  const settings = { ...options, charset: 'utf8mb4', multipleStatements: true, dateStrings: true };
  const { connection, query, connect } = open(settings);
  if (options.unsupported) {
    // The account's method is one that this driver does not know.
    return { ...found, unsupported: await errorOf(connect) };
  }
  await connect();
  await values(query, found);
  await transactions(connection, query, found);
  await queued(connection, query, found);
  await errors(query, found);
  await promisify(connection.end.bind(connection))();
  return found;
});
