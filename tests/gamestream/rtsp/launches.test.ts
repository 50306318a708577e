import { describe, expect, test } from 'bun:test';
import { RTSP_CONNECTIONS_MAX, RtspAdmission } from '../../../src/gamestream/rtsp-admission.ts';
import { LAUNCHES_MAX } from '../../../src/gamestream/rtsp-launches.ts';
import { DEVICE_ADDRESS, RtspRig } from './rtsp-rig.ts';

describe('PendingLaunches', () => {
  test('a new launch of a device voids its earlier one that has not started', () => {
    const rig = new RtspRig();
    const first = rig.launch(true);
    const second = rig.launch(true);

    expect(rig.launches.get(first.launchId)).toBeNull();
    expect(rig.launches.get(second.launchId)).toBe(second);
    expect(second.pingPayload).not.toBe(first.pingPayload);
  });

  test('a launch that started is not voided by the device’s next one', () => {
    const rig = new RtspRig();
    const first = rig.launch(false);
    rig.launches.announced(first, 0);

    rig.launch(false);

    expect(rig.launches.size).toBe(2);
    expect(rig.launches.findPlain(DEVICE_ADDRESS, undefined, 0)).not.toBe(first);
  });

  test('16 launches wait at most; the oldest that has not started gives way', () => {
    const rig = new RtspRig();
    const started = rig.launch(true, {}, 'd0');
    rig.launches.announced(started, 0);
    const fresh = rig.launch(true, {}, 'd1');
    for (let index = 2; index <= LAUNCHES_MAX; index += 1) rig.launch(true, {}, `d${index}`);

    expect(rig.launches.size).toBe(LAUNCHES_MAX);
    expect(rig.launches.get(fresh.launchId)).toBeNull();
    expect(rig.launches.get(started.launchId)).toBe(started);
    expect(rig.launches.evictedCount).toBe(1);
  });

  test('an announced launch is kept for a minute, one that is being started as long as it takes', () => {
    const rig = new RtspRig();
    const announced = rig.launch(true, {}, 'a');
    const starting = rig.launch(true, {}, 'b');
    rig.launches.announced(announced, 5000);
    starting.rtsp.stage = 'announcing';

    expect(rig.launches.expire(64_999)).toEqual([]);
    expect(rig.launches.expire(65_000)).toEqual([announced]);
    expect(rig.launches.knowsAddress(DEVICE_ADDRESS, 70_000)).toBe(true);
    expect(rig.launches.remove(starting.launchId)).toBe(true);
    expect(rig.launches.remove(starting.launchId)).toBe(false);
  });
});

describe('RtspAdmission', () => {
  test('one address holds 8 connections, strangers 32 of 64, launched devices the rest', () => {
    const admission = new RtspAdmission();
    const enter = (prefix: string, hasLaunch: boolean): number => {
      let entered = 0;
      for (let index = 0; index < 400; index += 1) {
        if (admission.enter(`${prefix}${index >> 4}`, hasLaunch)) entered += 1;
      }
      return entered;
    };

    expect(enter('stranger', false)).toBe(32);
    expect(enter('device', true)).toBe(RTSP_CONNECTIONS_MAX - 32);
    expect(admission.openCount).toBe(RTSP_CONNECTIONS_MAX);
    admission.leave('stranger0');
    expect(admission.enter('stranger0', false)).toBe(false);
    expect(admission.enter('device0', true)).toBe(false);
    expect(admission.enter('device9', true)).toBe(true);
    admission.leave('never entered');
    expect(admission.openCount).toBe(RTSP_CONNECTIONS_MAX);
  });
});
