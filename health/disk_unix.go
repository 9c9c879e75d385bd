//go:build linux || darwin || freebsd

package health

import "syscall"

func freeBytes(path string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, err
	}
	blocks := int64(fs.Bavail) // negative when only root has space left
	return uint64(max(0, blocks)) * uint64(max(0, fs.Bsize)), nil
}
