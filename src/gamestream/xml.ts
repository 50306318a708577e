/**
 * The flat XML documents of GameStream: a root with a status and child elements. Devices take the
 * first element of a name anywhere in the document, so names that they look up are never nested.
 */

const PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>\n';
/** Characters XML 1.0 §2.2 cannot carry even escaped, and lone surrogates. */
const NOT_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** `[name, value]`, or `[name, children]` for a nested element. */
export type XmlElement = readonly [
  name: string,
  content: string | number | boolean | readonly XmlElement[],
];

export interface XmlStatus {
  readonly code: number;
  readonly message?: string;
}

/** Safe as element text and as attribute value. */
export function escapeXml(text: string): string {
  return text
    .replace(NOT_XML, '\ufffd')
    .replace(/[&<>"'\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

/** Whole document: `<root status_code="…">` around `elements`. Booleans are written 0 and 1. */
export function xmlDocument(status: XmlStatus, elements: readonly XmlElement[]): string {
  const message =
    status.message === undefined ? '' : ` status_message="${escapeXml(status.message)}"`;
  const body = elements.map(renderElement).join('');
  return `${PROLOGUE}<root status_code="${status.code}"${message}>${body}</root>`;
}

function renderElement([name, content]: XmlElement): string {
  return `<${name}>${renderContent(content)}</${name}>`;
}

function renderContent(content: XmlElement[1]): string {
  if (typeof content === 'string') return escapeXml(content);
  if (typeof content === 'number') return String(content);
  if (typeof content === 'boolean') return content ? '1' : '0';
  return content.map(renderElement).join('');
}
