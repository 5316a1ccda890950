/** Host-side errors; what a guest does wrong is architecture and never one of these. */

/** An invariant of the machine does not hold: a defect of Hindsight, never of the guest. */
export class MachineInvariantError extends Error {
  /** Name of the class. */
  override name = "MachineInvariantError";
}

/** The configuration asks for something the machine cannot be; the message says what to change. */
export class ConfigurationError extends Error {
  /** Name of the class. */
  override name = "ConfigurationError";
}

/** An input that this machine cannot take, at this instant or at all; the message names the reason. */
export class InputRefusedError extends Error {
  /** Name of the class. */
  override name = "InputRefusedError";
}

/** Virtual time would pass 2^53 ns, where a JavaScript number stops being exact. */
export class ClockOverflowError extends Error {
  /** Name of the class. */
  override name = "ClockOverflowError";
}
