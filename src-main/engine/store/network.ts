import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AppError } from '../../../src-shared/errors.ts';

/** Says which network file system a folder lies on (`nfs4`, `cifs`, `UNC path`, …); null where the disk is local. */
export type NetworkDetector = (folder: string) => Promise<string | null>;

interface Mount {
  readonly point: string;
  readonly type: string;
}

const NETWORK_TYPES = new Set(
  [
    'nfs nfs3 nfs4 cifs smb smb2 smb3 smbfs afpfs webdav davfs afs coda ncpfs 9p virtiofs prl_fs vboxsf vmhgfs',
    'ceph lustre glusterfs beegfs gpfs orangefs pvfs2 gfs gfs2 ocfs2',
  ].flatMap((line) => line.split(' ')),
);

/** File systems in user space that are served from elsewhere; other FUSE types (ntfs-3g, ecryptfs, …) are local. */
const NETWORK_FUSE =
  /^(fuse|macfuse|osxfuse)[._]?(sshfs|rclone|s3fs|goofys|gcsfuse|davfs2?|glusterfs|ceph|nfs|smbnetfs|vmhgfs)/;

/** True for a file-system type whose locks and shared memory do not span its machines. */
export function isNetworkType(type: string): boolean {
  return NETWORK_TYPES.has(type) || NETWORK_FUSE.test(type);
}

/** The mounts in the text of Linux's /proc/self/mounts; octal escapes in mount points are undone. */
export function parseLinuxMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [, point, type] = line.split(' ');
    if (point === undefined || type === undefined) return [];
    return [
      { point: point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))), type },
    ];
  });
}

/** The mounts in the output of macOS's `mount`: `//user@host/share on /Volumes/share (smbfs, nodev, …)`. */
export function parseMacMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const match = / on (.+) \(([^,)]+)/.exec(line);
    return match?.[1] === undefined || match[2] === undefined ? [] : [{ point: match[1], type: match[2] }];
  });
}

/** The type of the file system that holds a path: of the longest mount point above it, the last mounted where equal. */
export function fileSystemOf(path: string, mounts: readonly Mount[]): string | null {
  let best: Mount | null = null;
  for (const mount of mounts) {
    const prefix = mount.point.endsWith('/') ? mount.point : `${mount.point}/`;
    const holds = path === mount.point || path.startsWith(prefix);
    if (holds && (best === null || mount.point.length >= best.point.length)) best = mount;
  }
  return best?.type ?? null;
}

/** The detector of this machine. Where the system does not tell, the disk counts as local. */
export const detectNetworkFolder: NetworkDetector = async (folder) => {
  if (process.platform === 'win32') {
    // A mapped drive resolves to its UNC path; \\?\C:\ is a local one.
    const resolved = await realpath(folder).catch(() => folder);
    return /^\\\\(?!\?\\[A-Za-z]:|\.\\)/.test(resolved) ? 'network share' : null;
  }
  const resolved = await realpath(folder).catch(() => folder);
  const mounts =
    process.platform === 'linux'
      ? parseLinuxMounts(await readFile('/proc/self/mounts', 'utf8').catch(() => ''))
      : parseMacMounts(
          await promisify(execFile)('/sbin/mount').then(
            ({ stdout }) => stdout,
            () => '',
          ),
        );
  const type = fileSystemOf(resolved, mounts);
  return type !== null && isNetworkType(type) ? type : null;
};

/**
 * SQLite's write-ahead log needs memory shared by all its users, which no network file system gives
 * (https://sqlite.org/wal.html, "all processes using a database must be on the same host").
 * @throws AppError StoreOnNetwork
 */
export async function refuseNetworkFolder(folder: string, detect: NetworkDetector): Promise<void> {
  const type = await detect(folder);
  if (type === null) return;
  throw new AppError(
    'StoreOnNetwork',
    `The store cannot lie on a network drive (${type}): results could be lost there.`,
    {
      advice:
        'Choose a folder on a disk of this machine with --store or HYALINE_STORE; slides may stay on the network.',
      detail: `${folder}: ${type}`,
    },
  );
}
