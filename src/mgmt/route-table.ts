/** The route table: every route of `/api/v1`, in the order of the document. */
import type { Route } from './route.ts';
import { DEVICE_ROUTES } from './routes/devices.ts';
import { HOST_ROUTES } from './routes/host.ts';
import { PAIRING_ROUTES } from './routes/pairing.ts';
import { SESSION_ROUTES } from './routes/sessions.ts';

export const API_BASE = '/api/v1';

export const ROUTES: readonly Route[] = [
  ...HOST_ROUTES,
  ...DEVICE_ROUTES,
  ...PAIRING_ROUTES,
  ...SESSION_ROUTES,
];

/** `/devices/{fingerprint}` → `/api/v1/devices/:fingerprint`. */
export function honoPath(path: string): string {
  return API_BASE + path.replace(/\{(\w+)\}/g, ':$1');
}
