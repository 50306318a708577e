/** D-Bus server addresses: the unix sockets among them (D-Bus specification, "Server Addresses"). */

const ADDRESS_LENGTH_MAX = 4096;

/**
 * Socket path of the first usable entry of `address` (`unix:path=…;unix:abstract=…`), a leading NUL
 * marking an abstract socket. Null when the address names no unix socket.
 */
export function busSocketPath(address: string): string | null {
  if (address.length > ADDRESS_LENGTH_MAX) return null;
  for (const entry of address.split(';')) {
    if (!entry.startsWith('unix:')) continue;
    for (const pair of entry.slice('unix:'.length).split(',')) {
      const separator = pair.indexOf('=');
      const value = unescapeValue(pair.slice(separator + 1));
      if (!value) continue;
      if (pair.startsWith('path=')) return value;
      if (pair.startsWith('abstract=')) return `\0${value}`;
    }
  }
  return null;
}

/** Address of the bus that systemd starts for a user: a socket named `bus` in the runtime folder. */
export function userBusAddress(runtimeDir: string): string {
  const escaped = [...new TextEncoder().encode(`${runtimeDir}/bus`)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[-0-9A-Za-z_/.\\*]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  return `unix:path=${escaped}`;
}

function unescapeValue(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
