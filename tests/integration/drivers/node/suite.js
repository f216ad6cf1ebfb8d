// Runs statements with mysql2, as text and prepared, and prints what came of them as one JSON object.
// Reads from standard input: {options, first, unicode}; `first` are the options of an account that never logged in.
'use strict';

const fs = require('fs');
const mysql = require('mysql2/promise');

const given = JSON.parse(fs.readFileSync(0, 'utf8'));
const seen = {};

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    return [error.errno, error.sqlState, error.sqlMessage];
  }
  throw new Error('a statement that must fail did not');
}

async function values(connection) {
  await connection.query('DROP TABLE IF EXISTS item');
  await connection.query(
    'CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10, 2), ratio DOUBLE, moment DATETIME(6),' +
      ' text VARCHAR(200), content LONGBLOB, nothing INT) CHARACTER SET utf8mb4');
  const row = ['-12.50', 0.25, '2024-02-29 23:59:59.999999', given.unicode, Buffer.from([0, 255, 39, 92]), null];
  const insert = 'INSERT INTO item (amount, ratio, moment, text, content, nothing) VALUES (?, ?, ?, ?, ?, ?)';
  seen.ids = [(await connection.query(insert, row))[0].insertId, (await connection.execute(insert, row))[0].insertId];
  seen.text = (await connection.query('SELECT * FROM item ORDER BY id'))[0];
  seen.prepared = [];
  for (const id of [1, 2, 3]) {
    seen.prepared.push((await connection.execute('SELECT * FROM item WHERE id = ?', [id]))[0]);
  }
  seen.unicode = seen.text[0].text;
}

async function transactions(connection) {
  seen.counts = [];
  for (const end of ['rollback', 'commit']) {
    await connection.beginTransaction();
    await connection.execute('INSERT INTO item (nothing) VALUES (?)', [77]);
    await connection[end]();
    const [rows] = await connection.query('SELECT COUNT(*) AS n FROM item WHERE nothing = 77');
    seen.counts.push(rows[0].n);
  }
}

async function large(connection) {
  const content = Buffer.alloc(1024 * 1024, 'ab');
  seen.large = [];
  for (const way of ['query', 'execute']) {
    const [result] = await connection[way]('INSERT INTO item (content) VALUES (?)', [content]);
    const [rows] = await connection[way]('SELECT content FROM item WHERE id = ?', [result.insertId]);
    seen.large.push(content.equals(rows[0].content));
  }
}

async function several(connection) {
  seen.several = (await connection.query('SELECT 1 AS a; SELECT 2 AS b; DO 1; SELECT 3 AS c'))[0];
  seen.procedure = (await connection.query('CALL several(7)'))[0];
  seen.preparedProcedure = (await connection.execute('CALL several(?)', [8]))[0];
}

async function errors(connection) {
  seen.errors = [
    await attempt(() => connection.query('SELEC 1')),
    await attempt(() => connection.query('SELECT * FROM no_such_table')),
    await attempt(() => connection.execute('SELECT no_such_column FROM item WHERE id = ?', [1])),
    await attempt(() => connection.execute('INSERT INTO item (id) VALUES (?)', [1])),
  ];
}

async function main() {
  const first = await mysql.createConnection(given.first);
  seen.first = (await first.query('SELECT CURRENT_USER() AS me'))[0];
  await first.end();
  const connection = await mysql.createConnection({ ...given.options, multipleStatements: true, dateStrings: true });
  for (const part of [values, transactions, large, several, errors]) await part(connection);
  await connection.end();
  process.stdout.write(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
