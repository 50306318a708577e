/**
 * Who a test device is: RSA key, certificate, the id it sends, and the host certificates it has
 * pinned. Lives in memory, or in a folder when the device must outlive its process.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificatePem, derOfPem, makeDeviceCertificate } from './certificate.ts';

/** What current programs send as `uniqueid`: a constant, never an identity (GameStream §2.1). */
export const COMMON_UNIQUE_ID = '0123456789ABCDEF';

export interface DeviceIdentity {
  readonly uniqueId: string;
  readonly privateKey: KeyObject;
  readonly keyPem: string;
  readonly certificateDer: Uint8Array;
  readonly certificatePem: string;
}

export function createIdentity(uniqueId = COMMON_UNIQUE_ID): DeviceIdentity {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return identityOf(keys.privateKey, makeDeviceCertificate(keys), uniqueId);
}

export function identityOf(
  privateKey: KeyObject,
  certificateDer: Uint8Array,
  uniqueId: string,
): DeviceIdentity {
  return {
    uniqueId,
    privateKey,
    keyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    certificateDer,
    certificatePem: certificatePem(certificateDer),
  };
}

/** Where a device remembers the certificate of the host it paired with. */
export interface PinStore {
  read(): Uint8Array | null;
  write(certificateDer: Uint8Array): void;
}

export function memoryPins(): PinStore {
  let pinned: Uint8Array | null = null;
  return {
    read: () => pinned,
    write: (certificateDer) => {
      pinned = certificateDer;
    },
  };
}

/** The identity in `folder`, made on first use, and the pin it keeps for one host. */
export function openDeviceFolder(
  folder: string,
  host: string,
): { readonly identity: DeviceIdentity; readonly pins: PinStore } {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const keyPath = join(folder, 'key.pem');
  const certificatePath = join(folder, 'client.pem');
  if (!existsSync(keyPath) || !existsSync(certificatePath)) {
    const made = createIdentity();
    writeFileSync(keyPath, made.keyPem, { mode: 0o600 });
    writeFileSync(certificatePath, made.certificatePem);
  }
  const certificateDer = derOfPem(readFileSync(certificatePath, 'utf8'));
  if (!certificateDer) throw new Error(`${certificatePath} holds no certificate: delete ${folder}`);
  const key = createPrivateKey(readFileSync(keyPath, 'utf8'));
  const pinPath = join(folder, `host-${host.replaceAll(/[^\w.-]/g, '_')}.pem`);
  return {
    identity: identityOf(key, certificateDer, COMMON_UNIQUE_ID),
    pins: {
      read: () => (existsSync(pinPath) ? derOfPem(readFileSync(pinPath, 'utf8')) : null),
      write: (der) => writeFileSync(pinPath, certificatePem(der)),
    },
  };
}
