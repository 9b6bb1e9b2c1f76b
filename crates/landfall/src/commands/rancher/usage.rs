//! What `-h` says.

use super::words::Script;

/// The usage text of a script, in our words.
pub(super) fn text(script: Script) -> &'static str {
    match script {
        Script::Save => SAVE,
        Script::Load => LOAD,
    }
}

const SAVE: &str = "\
USAGE: rancher-save-images [-l rancher-images.txt] [-i rancher-images.tar.gz] [-s registry[:port]]
  -l, --image-list PATH         images, one per line (default rancher-images.txt)
  -i, --images PATH             the archive to write (default rancher-images.tar.gz)
  -s, --source-registry REG     fetch every image from this registry; its name becomes part of the images' names
      --from-aliyun [true]      the same with registry.cn-hangzhou.aliyuncs.com
  -h, --help                    this text
As the PowerShell script (when called rancher-save-images.ps1, with --ps1, or with -o):
  -o, --os-release-id VERSION   fetch IMAGE-windows-VERSION for each image of rancher-windows-images.txt
Not in the script:
      --windows-image-list PATH, --windows-versions LIST
                                fetch Windows images too, with their base layers: one archive for all machines
      --platform PLATFORMS      carry only these platforms, as in linux/amd64,linux/arm64 (default: all)
      --dry-run [--format ops]  only show the plan, or the calls of docker that the script would make
      --failed-list PATH        where images that failed are listed (default: PATH of -i, with .failed.txt behind it)
      --compat-exit-zero        end with 0 whatever is missing, as the script does
  --jobs N, --output json, --quiet, and for registries --username, --password-stdin, --auth-file, --tls-ca,
  --client-cert, --client-key, --insecure, --plain-http, --attempts, --stall-timeout: as with `landfall save`.
The archive is a plain tar whose layers are compressed already, whatever its name: docker load and the load script read it.
";

const LOAD: &str = "\
USAGE: rancher-load-images [-l rancher-images.txt] [-i rancher-images.tar.gz] [-s registry[:port]] -r registry[:port][/path]
  -l, --image-list PATH         images, one per line (default rancher-images.txt)
  -i, --images PATH             the archive to read (default rancher-images.tar.gz)
  -r, --registry REG            the registry to push to
  -s, --source-registry REG     the registry that the archive was saved from; found out without it, too
      --windows-image-list PATH images for Windows: each gets a manifest list with its Windows members
      --windows-versions LIST   Windows versions, as in 1809,ltsc2022 (default 1809)
  -h, --help                    this text
As the PowerShell script (when called rancher-load-images.ps1, with --ps1, or with -o):
  -o, --os-release-id VERSION   push IMAGE-windows-VERSION for each image of rancher-windows-images.txt
Not in the script:
      --allow-missing-members   make lists for Windows without members that are not there
      --index-format FORMAT     docker (default) or oci: the media type of those lists
      --dry-run [--format ops]  only show the plan, or the calls of docker that the script would make
      --failed-list PATH        where images that failed are listed (default: PATH of -i, with .failed.txt behind it)
      --compat-exit-zero        end with 0 whatever is missing, as the script does
  --jobs N, --output json, --quiet, and for registries --username, --password-stdin, --auth-file, --tls-ca,
  --client-cert, --client-key, --insecure, --plain-http, --attempts, --stall-timeout: as with `landfall load`.
Charts of the list that are not in the archive are taken from ./rancher-oci-charts, where the save script leaves them.
";
