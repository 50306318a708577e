/** Names of the announcement: instance and host labels that every resolver takes. Pure. */

/** RFC 1035 §2.3.4. */
export const LABEL_BYTES_MAX = 63;
const FALLBACK_LABEL = 'punktfunk';

/**
 * Instance label from a host name: spaces become dashes, cut at the first character that is neither
 * alphanumeric nor a dash, 63 bytes at most (GameStream §1.2).
 */
export function instanceLabel(hostname: string): string {
  const dashed = hostname.trim().replace(/\s+/g, '-');
  const plain = /^[A-Za-z0-9-]*/.exec(dashed)?.[0] ?? '';
  const label = plain.slice(0, LABEL_BYTES_MAX).replace(/^-+|-+$/g, '');
  return label === '' ? FALLBACK_LABEL : label;
}

/**
 * Host label of our own: the machine's name may be claimed by the system's responder, with other
 * addresses than ours.
 *
 * @param uniqueId stable id of this host; its first 12 hex digits are used
 */
export function hostLabel(uniqueId: string): string {
  const digits = uniqueId
    .toLowerCase()
    .replace(/[^0-9a-f]/g, '')
    .slice(0, 12);
  return `${FALLBACK_LABEL}-${digits === '' ? 'host' : digits}`;
}

/** The next name after a conflict: `den` → `den-2` → `den-3`, kept within 63 bytes (RFC 6762 §9). */
export function renamedLabel(wish: string, attempt: number): string {
  if (attempt <= 1) return wish;
  const suffix = `-${attempt}`;
  return wish.slice(0, LABEL_BYTES_MAX - suffix.length) + suffix;
}
