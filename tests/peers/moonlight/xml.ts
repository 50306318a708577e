/**
 * Reading of the host's XML the way devices do it: the first element of a name anywhere in the
 * document, names case sensitive (GameStream §2.1).
 */

export interface RootStatus {
  readonly code: number;
  readonly message: string;
}

/** Attributes of `<root>`; null when the document has none. */
export function rootStatus(document: string): RootStatus | null {
  if (!/^<\?xml version="1\.0" encoding="utf-8"\?>\s*<root[ >]/i.test(document)) return null;
  const root = /<root\b([^>]*)>/.exec(document)?.[1] ?? '';
  const code = /\bstatus_code="(\d+)"/.exec(root)?.[1];
  if (code === undefined) return null;
  const message = /\bstatus_message="([^"]*)"/.exec(root)?.[1] ?? '';
  return { code: Number(code), message: unescapeXml(message) };
}

/** Text of the first element called `name`, or null. */
export function elementText(document: string, name: string): string | null {
  const found = new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>|<${name}\\s*/>`).exec(document);
  return found ? unescapeXml(found[1] ?? '') : null;
}

/** Inner text of every element called `name` that may hold other elements. */
export function elementBodies(document: string, name: string): string[] {
  return [...document.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, 'g'))].map(
    (found) => found[1] ?? '',
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  amp: '&',
};

function unescapeXml(text: string): string {
  return text.replace(/&(#x[\da-f]+|#\d+|\w+);/gi, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return ENTITIES[name] ?? whole;
  });
}
