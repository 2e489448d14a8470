import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { detectNetworkFolder, fileSystemOf, isNetworkType, parseLinuxMounts, parseMacMounts } from './network.ts';

const LINUX = `/dev/vda / ext4 rw,relatime 0 0
tmpfs /dev/shm tmpfs rw 0 0
server:/export /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/anna/local\\040disk ext4 rw 0 0
//nas/slides /mnt/slides cifs rw 0 0
anna@gpu:/data /mnt/gpu fuse.sshfs rw 0 0
/dev/sdc1 /mnt/usb fuseblk rw 0 0
`;

const MAC = `/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled)
//anna@nas/slides on /Volumes/my slides (smbfs, nodev, nosuid, mounted by anna)
`;

describe('network folders', () => {
  it.each([
    ['/tmp/x', 'ext4', false],
    ['/home/anna/store', 'nfs4', true],
    ['/home/anna/local disk/store', 'ext4', false],
    ['/homework', 'ext4', false],
    ['/mnt/slides', 'cifs', true],
    ['/mnt/gpu/a/b', 'fuse.sshfs', true],
    ['/mnt/usb/a', 'fuseblk', false],
  ])('%s lies on %s', (path, type, network) => {
    expect(fileSystemOf(path, parseLinuxMounts(LINUX))).toBe(type);
    expect(isNetworkType(type)).toBe(network);
  });

  it('reads what macOS says', () => {
    expect(fileSystemOf('/Volumes/my slides/store', parseMacMounts(MAC))).toBe('smbfs');
    expect(fileSystemOf('/Users/anna', parseMacMounts(MAC))).toBe('apfs');
    expect(isNetworkType('smbfs')).toBe(true);
    expect(isNetworkType('apfs')).toBe(false);
  });

  it('takes a later mount on the same point for the one in force', () => {
    const mounts = parseLinuxMounts('a /data ext4 rw 0 0\nb:/x /data nfs rw 0 0\n');
    expect(fileSystemOf('/data/store', mounts)).toBe('nfs');
  });

  it('finds the temporary folder of this machine local', async () => {
    expect(await detectNetworkFolder(tmpdir())).toBeNull();
  });
});
