/** Prints a line of random words 60 times a second: what a terminal scrolls for `stream-desktop`. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789 ,.;:-_/()[]{}<>=+*';
const COLUMNS = 110;

setInterval(() => {
  let line = `\x1b[3${1 + Math.floor(Math.random() * 6)}m`;
  for (let column = 0; column < COLUMNS; column += 1) {
    line += LETTERS[Math.floor(Math.random() * LETTERS.length)] ?? ' ';
  }
  console.log(line);
}, 1000 / 60);
