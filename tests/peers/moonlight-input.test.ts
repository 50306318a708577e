import { expect, test } from 'bun:test';
import vectors from '../fixtures/gamestream-input.json';
import { hexOf } from './moonlight/bytes.ts';
import {
  enableHaptics,
  type InputPacket,
  key,
  mouseButton,
  moveMouse,
  padArrival,
  padBattery,
  padMotion,
  padState,
  padTouch,
  pen,
  placeMouse,
  restingPad,
  scroll,
  scrollSideways,
  text,
  touch,
} from './moonlight/input.ts';

const pressed = {
  ...restingPad(0, 1),
  buttons: 4096,
  buttons2: 17,
  leftTrigger: 17,
  rightTrigger: 34,
  leftX: 4660,
  leftY: -4660,
  rightX: 32_767,
  rightY: -32_768,
};
const contact = {
  event: 1,
  rotation: 90,
  pointerId: 42,
  x: 0.1,
  y: 0.2,
  pressure: 0.5,
  major: 0.01,
  minor: 0.02,
};
const pencil = {
  event: 0,
  tool: 1,
  buttons: 1,
  x: 0.3,
  y: 0.4,
  pressure: 0.9,
  rotation: 65_535,
  tilt: 45,
  major: 0,
  minor: 0,
  isButtonChange: true,
};

/** The recorded packets in order, made by this device. */
const made: readonly (InputPacket | undefined)[] = [
  enableHaptics(),
  moveMouse(10, -20),
  placeMouse(320, 240, 640, 480),
  mouseButton(1, true),
  mouseButton(1, false),
  scroll(120),
  scroll(-33),
  scrollSideways(-120),
  key(0x41, true, 1),
  key(0x41, false, 1, 1),
  ...text('hé€'),
  padArrival({ number: 0, type: 2, capabilities: 255, supportedButtons: 4_194_303 }),
  padState(restingPad(0, 1)),
  padState(pressed),
  padState(restingPad(0, 0)),
  padTouch(0, 1, 0, 7, 0.25, 0.5, 1),
  padMotion(0, 2, 1.5, -2.5, 3.5),
  padMotion(0, 1, 0, 9.8, 0),
  padBattery(0, 3, 77),
  touch(contact),
  pen(pencil),
];

test('there is one packet for every recorded one', () => {
  expect(made).toHaveLength(vectors.messages.length);
});

for (const [index, message] of vectors.messages.entries()) {
  test(`input ${index}, ${message.name}, is byte for byte the recorded one`, () => {
    expect(hexOf(made[index]?.bytes ?? new Uint8Array())).toBe(message.hex);
    expect(made[index]?.channel).toBe(message.channel);
    expect(made[index]?.delivery).toBe(message.delivery.split(' ')[0] as InputPacket['delivery']);
  });
}

test('positions may get lost, contacts and a stopping gyro may not', () => {
  expect(touch({ ...contact, event: 3 }).delivery).toBe('unreliable');
  expect(touch({ ...contact, event: 2 }).delivery).toBe('reliable');
  expect(pen({ ...pencil, isButtonChange: false }).delivery).toBe('unreliable');
  expect(padMotion(0, 2, 0, 0, 0).delivery).toBe('reliable');
});
