"""What the peers run on."""

import platform

import numpy as np
import scipy


def versions():
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "BLAS": f"{blas['name']} {blas['version']}",
    }
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return found
    for library in threadpool_info():
        if library["user_api"] == "blas":
            kernels = library.get("architecture", "unknown")
            found["BLAS"] = (
                f"{library['internal_api']} {library['version']}, {kernels} kernels, "
                f"{library['num_threads']} threads"
            )
            break
    return found
