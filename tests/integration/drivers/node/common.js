// What the three drivers share: how a scenario is told where to connect, and how it tells what it found.
// Standard input: {options, first, other, unicode}; `first` are options of an account that never logged in.
'use strict';

const fs = require('fs');

const given = JSON.parse(fs.readFileSync(0, 'utf8'));

const TABLE =
  'CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10, 2), ratio DOUBLE, moment DATETIME(6),' +
  ' text VARCHAR(200), content LONGBLOB, nothing INT) CHARACTER SET utf8mb4';
const COLUMNS = 'amount, ratio, moment, text, content, nothing';
const INSERT = `INSERT INTO item (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`;
const ROW = ['-12.50', 0.25, '2024-02-29 23:59:59.999999', given.unicode, Buffer.from([0, 255, 39, 92]), null];

// The error that `action` must end with.
async function errorOf(action) {
  try {
    await action();
  } catch (error) {
    return [error.errno, error.sqlState, error.sqlMessage];
  }
  throw new Error('what must fail did not');
}

function run(scenario) {
  scenario(given).then(
    (found) => process.stdout.write(JSON.stringify(found)),
    (error) => {
      console.error(error);
      process.exit(1);
    });
}

module.exports = { TABLE, COLUMNS, INSERT, ROW, errorOf, run };
