// Learning Locker's validator as a filter: a statement a line in, a verdict a line out.
// A verdict is a JSON array of what is wrong with the statement, empty when nothing is.

const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const STDIN = 0;
const judge = createRequire(path.join(__dirname, 'npm', 'package.json'))('@learninglocker/xapi-validation').default;

const said = (fault) => `${fault.path.join('.')}: ${fault.constructor.name} ${JSON.stringify(fault.data)}`;

const verdict = (line) => {
  try {
    return judge(JSON.parse(line)).map(said);
  } catch (error) {
    return [String(error)];
  }
};

// not with node:readline, for which U+2028 ends a line too
const lines = readFileSync(STDIN, 'utf8').split('\n').filter((line) => line !== '');
process.stdout.write(lines.map((line) => `${JSON.stringify(verdict(line))}\n`).join(''));
