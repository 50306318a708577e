import { describe, expect, test } from 'bun:test';
import { announceText } from '../announce/announce-text.ts';
import { DEVICE_ADDRESS, deviceRequests, POLICY, RtspRig, requestText } from './rtsp-rig.ts';

describe('the exchange of a launch', () => {
  test('seven plain requests are answered and start the session once', async () => {
    const rig = new RtspRig();
    const launch = rig.launch(false);
    const replies: (string | null)[] = [];

    for (const request of deviceRequests()) replies.push(await rig.plain(request));

    for (const [index, reply] of replies.entries()) {
      expect(reply).toStartWith(`RTSP/1.0 200 OK\r\nCSeq: ${index + 1}\r\n`);
    }
    expect(rig.orders).toEqual(['announce', 'play']);
    expect(launch.rtsp.stage).toBe('playing');
    expect(rig.service.counters.answered).toBe(7);
  });

  test('the replies to SETUP carry ports, session, ping payload and connect data', async () => {
    const rig = new RtspRig();
    const launch = rig.launch(false);
    const session = `Session: ${launch.sessionToken};timeout = 90\r\n`;

    const [audio, video, control] = await Promise.all(
      ['streamid=audio/0/0', 'streamid=video/0/0', 'streamid=control/13/0'].map((target, index) =>
        rig.plain(requestText('SETUP', target, index)),
      ),
    );

    expect(launch.pingPayload).toMatch(/^[0-9A-F]{16}$/);
    const ping = `X-SS-Ping-Payload: ${launch.pingPayload}\r\n`;
    expect(audio).toContain(`${session}Transport: server_port=48000\r\n${ping}\r\n`);
    expect(video).toContain(`${session}Transport: server_port=47998\r\n${ping}\r\n`);
    expect(control).toContain(
      `${session}Transport: server_port=47999\r\nX-SS-Connect-Data: ${launch.connectData}\r\n\r\n`,
    );
  });

  test('sealed requests are answered sealed, the host counting over all connections', async () => {
    const rig = new RtspRig();
    const launch = rig.launch(true);
    const sequences: number[] = [];

    for (const request of deviceRequests()) {
      const reply = await rig.sealed(launch, request);
      expect(reply?.text).toStartWith('RTSP/1.0 200 OK\r\n');
      sequences.push(reply?.sequence ?? 0);
    }

    expect(sequences).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(rig.orders).toEqual(['announce', 'play']);
  });

  test('the DESCRIBE body offers what the machine has and the surround layouts of §4.6', async () => {
    const rig = new RtspRig();
    rig.launch(false);

    const reply = await rig.plain(requestText('DESCRIBE', 'rtsp://192.168.1.5:48010', 2));

    expect(reply?.split('\r\n\r\n')[1]).toBe(
      [
        'a=x-ss-general.featureFlags:1',
        'a=x-ss-general.encryptionSupported:7',
        'a=x-ss-general.encryptionRequested:1',
        'a=x-nv-video[0].refPicInvalidation:1',
        'a=fmtp:97 surround-params=642012453',
        'a=fmtp:97 surround-params=660012345',
        'a=fmtp:97 surround-params=85301245673',
        'a=fmtp:97 surround-params=88001234567',
        '',
      ].join('\r\n'),
    );
  });

  test('lines of codecs, invalidation and touch appear only where they are offered', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    const describe = async (): Promise<string> =>
      (await rig.plain(requestText('DESCRIBE', 'x', 2))) ?? '';

    rig.policy = { ...POLICY, codecModeSupport: 0x301, canInvalidateReferences: false };
    const hevc = await describe();
    rig.policy = { ...POLICY, codecModeSupport: 0x10001, touchAndPen: false };
    const av1 = await describe();

    expect(hevc).toContain('sprop-parameter-sets=AAAAAU');
    expect(hevc).not.toContain('AV1/90000');
    expect(hevc).not.toContain('refPicInvalidation');
    expect(av1).toContain('a=rtpmap:98 AV1/90000');
    expect(av1).not.toContain('sprop-parameter-sets');
    expect(av1).toContain('featureFlags:0');
  });

  test.each([
    ['192.168.1.5', true],
    ['0.0.0.0', false],
    ['0.0.0.0:48010', false],
    ['10.0.0.0', true],
  ])('a device that names the host %s gets high-quality stereo: %p', async (host, isHigh) => {
    const rig = new RtspRig();
    rig.launch(false);

    for (const request of deviceRequests(host)) await rig.plain(request);

    expect(rig.announced[0]).toMatchObject({ offer: { audio: { highQuality: isHigh } } });
  });
});

describe('order', () => {
  test('ANNOUNCE before all three SETUPs, PLAY before ANNOUNCE: 455', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    const announce = requestText('ANNOUNCE', 'streamid=control/13/0', 1, { body: announceText() });

    expect(await rig.plain(announce)).toContain(' 455 ');
    expect(await rig.plain(requestText('PLAY', '/', 2))).toContain(' 455 ');
    await rig.plain(requestText('SETUP', 'streamid=audio/0/0', 3));
    await rig.plain(requestText('SETUP', 'streamid=video/0/0', 4));
    expect(await rig.plain(announce)).toContain(' 455 ');
    expect(rig.orders).toEqual([]);
  });

  test('a second ANNOUNCE while the first one starts the session is refused', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    const requests = deviceRequests();
    for (const request of requests.slice(0, 5)) await rig.plain(request);

    const replies = await Promise.all([rig.plain(requests[5] ?? ''), rig.plain(requests[5] ?? '')]);

    expect(replies[0]).toContain(' 200 OK');
    expect(replies[1]).toContain(' 455 ');
    expect(rig.orders).toEqual(['announce']);
  });

  test('after ANNOUNCE only OPTIONS and PLAY are left, and PLAY may be repeated', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    for (const request of deviceRequests()) await rig.plain(request);

    expect(await rig.plain(requestText('OPTIONS', 'x', 8))).toContain(' 200 OK');
    expect(await rig.plain(requestText('DESCRIBE', 'x', 8))).toContain(' 455 ');
    expect(await rig.plain(requestText('SETUP', 'streamid=audio', 8))).toContain(' 455 ');
    expect(await rig.plain(requestText('PLAY', '/', 9))).toContain(' 200 OK');
    expect(rig.orders).toEqual(['announce', 'play']);
  });

  test('unknown methods are 405, unknown streams 404', async () => {
    const rig = new RtspRig();
    rig.launch(false);

    expect(await rig.plain(requestText('TEARDOWN', '/', 1))).toContain(' 405 ');
    expect(await rig.plain(requestText('SETUP', 'streamid=microphone/0/0', 1))).toContain(' 404 ');
    expect(await rig.plain(requestText('SETUP', '/', 1))).toContain(' 404 ');
  });

  test('what the host refuses or fails at is answered, and may be tried again', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    const requests = deviceRequests();
    for (const request of requests.slice(0, 5)) await rig.plain(request);
    const announce = requests[5] ?? '';

    rig.outcome = { ok: false, status: 503, reason: 'no encoder' };
    expect(await rig.plain(announce)).toStartWith('RTSP/1.0 503 Service Unavailable\r\nCSeq: 6');
    rig.outcome = new Error('the compositor went away');
    expect(await rig.plain(announce)).toContain(' 500 ');
    expect(rig.notices.at(-1)?.reason).toBe('the compositor went away');
    rig.outcome = { ok: true };
    expect(await rig.plain(announce)).toContain(' 200 OK');
  });

  test('a bad attribute and a codec that is not offered are 400 and start nothing', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    for (const request of deviceRequests().slice(0, 5)) await rig.plain(request);
    const announce = (changes: Record<string, number>): string =>
      requestText('ANNOUNCE', 'streamid=control/13/0', 6, { body: announceText(changes) });

    expect(await rig.plain(announce({ 'x-nv-video[0].maxFPS': 0 }))).toContain(' 400 ');
    expect(await rig.plain(announce({ 'x-nv-vqos[0].bitStreamFormat': 2 }))).toContain(' 400 ');
    rig.policy = { ...POLICY, encryptionRequired: 6 };
    expect(await rig.plain(announce({}))).toContain(' 403 ');
    expect(rig.orders).toEqual([]);
  });
});

describe('who may speak', () => {
  test('an address that launched nothing is refused; the IPv6 form of the device’s is its own', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    const options = requestText('OPTIONS', 'x', 1);

    expect(await rig.plain(options, '192.168.1.21')).toContain(' 403 ');
    expect(await rig.plain(options, `::ffff:${DEVICE_ADDRESS}`)).toContain(' 200 OK');
    expect(rig.service.counters.strangers).toBe(1);
  });

  test('plain text is refused after sealed RTSP was agreed', async () => {
    const rig = new RtspRig();
    rig.launch(true);

    expect(await rig.plain(requestText('OPTIONS', 'x', 1))).toContain(' 403 ');
  });

  test('a sealed launch does not hide the plain one of another device at the same address', async () => {
    const rig = new RtspRig();
    rig.launch(false, {}, 'older client');
    rig.launch(true, {}, 'current client');

    expect(await rig.plain(requestText('OPTIONS', 'x', 1))).toContain(' 200 OK');
  });

  test('a sealed request is known by its key from any address', async () => {
    const rig = new RtspRig();
    rig.launch(true, { key: new Uint8Array(16).fill(9) }, 'other');
    const launch = rig.launch(true);

    const reply = await rig.sealed(launch, requestText('OPTIONS', 'x', 1), '2001:db8::7');

    expect(reply?.text).toContain(' 200 OK');
    expect(reply?.sequence).toBe(1);
  });

  test('a sealed request that no key opens, or that comes again, is met with silence', async () => {
    const rig = new RtspRig();
    const launch = rig.launch(true);
    const options = requestText('OPTIONS', 'x', 1);
    const stranger = { ...launch, request: { ...launch.request, key: new Uint8Array(16) } };

    expect(await rig.sealed(stranger, options)).toBeNull();
    expect(await rig.sealed(launch, options, DEVICE_ADDRESS, 5)).not.toBeNull();
    expect(await rig.sealed(launch, options, DEVICE_ADDRESS, 5)).toBeNull();
    expect(await rig.sealed(launch, options, DEVICE_ADDRESS, 4)).toBeNull();
    expect(await rig.sealed(launch, options, DEVICE_ADDRESS, 6)).not.toBeNull();
    expect(rig.service.counters.unauthentic).toBe(3);
  });

  test('two devices behind one address are told apart by the session they name', async () => {
    const rig = new RtspRig();
    const first = rig.launch(false, {}, 'first');
    const second = rig.launch(false, {}, 'second');

    await rig.plain(requestText('SETUP', 'streamid=audio/0/0', 3, { session: first.sessionToken }));
    await rig.plain(requestText('SETUP', 'streamid=video/0/0', 3));

    expect([...first.rtsp.setUp]).toEqual(['audio']);
    expect([...second.rtsp.setUp]).toEqual(['video']);
  });

  test('a launch is over 15 s after it was made unless it was announced', async () => {
    const rig = new RtspRig();
    rig.launch(false);
    const options = requestText('OPTIONS', 'x', 1);

    rig.nowMs = 14_999;
    expect(await rig.plain(options)).toContain(' 200 OK');
    rig.nowMs = 15_000;
    expect(await rig.plain(options)).toContain(' 403 ');
    expect(rig.launches.size).toBe(0);
  });
});
