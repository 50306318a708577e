/** Routes of the roster of paired devices. */
import * as v from 'valibot';
import { type Route, refuse, route } from '../route.ts';
import { DevicePatchSchema, DeviceRowSchema, FingerprintParamSchema } from '../schemas.ts';

const NO_DEVICE = 'No paired device has this fingerprint.';

export const DEVICE_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/devices',
    operationId: 'listDevices',
    tag: 'devices',
    summary: 'Paired devices',
    lanes: ['admin'],
    reply: v.array(DeviceRowSchema),
    success: { status: 200, description: 'All paired devices' },
    refusals: [],
    handle: ({ host }) => ({ status: 200, body: host.devices() }),
  }),
  route({
    method: 'PATCH',
    path: '/devices/{fingerprint}',
    operationId: 'changeDevice',
    tag: 'devices',
    summary: 'Renames, enables or disables a device; disabling ends its sessions',
    lanes: ['admin'],
    params: FingerprintParamSchema,
    body: DevicePatchSchema,
    reply: DeviceRowSchema,
    success: { status: 200, description: 'The device as it is now' },
    refusals: [{ status: 404, description: 'No such device' }],
    handle: async ({ host, params: { fingerprint }, body }) => {
      let device = host.devices().find((row) => row.fingerprint === fingerprint) ?? null;
      if (device && body.name !== undefined) device = host.renameDevice(fingerprint, body.name);
      if (device && body.enabled !== undefined) {
        device = await host.setDeviceEnabled(fingerprint, body.enabled);
      }
      return device ? { status: 200, body: device } : refuse(404, NO_DEVICE);
    },
  }),
  route({
    method: 'DELETE',
    path: '/devices/{fingerprint}',
    operationId: 'unpairDevice',
    tag: 'devices',
    summary: 'Unpairs a device and ends its sessions',
    lanes: ['admin'],
    params: FingerprintParamSchema,
    success: { status: 204, description: 'Unpaired' },
    refusals: [{ status: 404, description: 'No such device' }],
    handle: async ({ host, params: { fingerprint } }) =>
      (await host.unpair(fingerprint)) ? { status: 204 } : refuse(404, NO_DEVICE),
  }),
];
