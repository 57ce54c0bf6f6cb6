"""An extension for ``tx`` (python-threatexchange) and HMA: a Hashpact list as one of their exchanges.

::

    tx config extensions add hashpact.tx
    tx config collab edit hashpact --create "The list" --target list.example.org:7443 --ca ca.pem
    tx fetch && tx match photo upload.jpg

``docs/exchange.md`` tells what of their interface exists here. Only this package imports ``threatexchange``, which
is not installed with ours: it is where ``tx`` is.
"""

from __future__ import annotations

from hashpact.errors import MissingExtraError

try:
    from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "hashpact.tx is an extension of tx, which is not installed here: pip install threatexchange, or install "
        "hashpact where tx is"
    ) from error

from hashpact.tx.api import HashpactSignalExchangeAPI

TX_MANIFEST = ThreatExchangeExtensionManifest(apis=(HashpactSignalExchangeAPI,))

__all__ = ["TX_MANIFEST", "HashpactSignalExchangeAPI"]
