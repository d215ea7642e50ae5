"""What every question to Portage begins with."""

import contextlib
import os


def trust_digests_alone(folder="/var/cache/edb/dep"):
    """Portage believes what it has read out of an ebuild when the digest is the same, or when both files are of the same second.

    An ebuild that is changed within that second would go unseen, and the answer be kept. So what was read gets a time that nothing has.
    """
    for place, _, files in os.walk(folder):
        for name in files:
            # Another question that is asked at the same time replaces files.
            with contextlib.suppress(FileNotFoundError):
                os.utime(os.path.join(place, name), (NEVER, NEVER))


# In 1938.
NEVER = -1_000_000_000

trust_digests_alone()

