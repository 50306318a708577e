/** D-Bus client: the door for the rooms that talk to a desktop. */
export { busSocketPath, userBusAddress } from './address.ts';
export { DbusConnection, type MethodCall, type SignalMatch } from './connection.ts';
export { DbusError } from './dbus-error.ts';
export {
  asArray,
  asNumber,
  asText,
  type DbusValue,
  isVariant,
  optionOf,
  options,
  unwrapVariant,
  type Variant,
  variant,
} from './value.ts';
