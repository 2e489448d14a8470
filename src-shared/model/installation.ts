/** What this installation is and can do; fills About, the status bar and Settings. */
export interface AboutInfo {
  readonly version: string;
  readonly notice: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly device: DeviceStatus;
  readonly store: StoreStatus;
  readonly host: 'electron' | 'web' | 'cli';
  /** True where the renderer may list folders through the engine (web host); Electron has native dialogs. */
  readonly canBrowse: boolean;
}

export interface DeviceStatus {
  /** `CPU`, `CUDA`, … what inference runs on now. */
  readonly name: string;
  readonly detail: string;
  readonly threads: number;
  /** Why the devices ahead of this one are not used, a sentence each. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

/** A device inference could run on, best first. */
export interface DeviceCandidate {
  /** The value of the setting `inference.device` that pins it. */
  readonly id: string;
  readonly name: string;
  /** `untested` where a better one was found first, or another is pinned. */
  readonly state: 'in-use' | 'usable' | 'refused' | 'untested';
  /** Why it is in use or not, a sentence. */
  readonly reason: string;
  /** Its self-test against the CPU, where it got that far. */
  readonly test: DeviceTest | null;
}

export interface DeviceTest {
  /** Largest difference from the CPU's features, relative to their root mean square. */
  readonly relativeError: number;
  /** One batch of the test network. */
  readonly deviceMs: number;
  readonly cpuMs: number;
}

export interface DeviceChoices {
  /** Id of the device the user has pinned; empty = the best one that works. */
  readonly pinned: string;
  readonly candidates: readonly DeviceCandidate[];
  /** Providers this project's own checks have not run on a real device. */
  readonly notRunByChecks: readonly string[];
}

export interface StoreStatus {
  readonly folder: string;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly readOnlyReason: string;
  readonly schemaVersion: number;
  readonly featureBytes: number;
}
