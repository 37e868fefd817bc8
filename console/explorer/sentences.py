"""What the check of a receipt says in the browser: a sentence for each code of `pages/build/js/receipts/codes.mjs`.

Values stand in braces; the browser puts them in.
"""

from __future__ import annotations

from collections.abc import Mapping

from pages.translations import Text
from pages.translations import lazy as _

_STEPS: Mapping[str, Text] = {
    # the file
    "format.passed": _("The file is a whole receipt."),
    "format.empty": _("The file is empty. Download the receipt again."),
    "format.size": _("The file is far too large for a receipt. Choose another one."),
    "format.json": _("This is no receipt, or its file was cut off or damaged. Download it again."),
    "format.object": _("This is no receipt: “{field}” does not hold what it should. Choose another file."),
    "format.missing": _("The receipt is not whole: “{field}” is missing. Download it again."),
    "format.number": _("The receipt was damaged or changed: “{field}” is no whole number of the right size."),
    "format.hash": _("The receipt was damaged or changed: “{field}” is no hash of 64 digits."),
    "format.address": _("The receipt was damaged or changed: “{field}” is no address of 40 digits."),
    "format.list": _("The receipt was damaged or changed: “{field}” is no list."),
    # what it says of itself
    "batch.other": _(
        "The receipt was changed: it says batch {expected}, but the movement in it belongs to batch {found}."
    ),
    "leaf.passed": _("Nothing in the movement was changed: it still gives the fingerprint {found}."),
    "leaf.refused": _("The movement was changed: its values no longer give the fingerprint that the receipt has."),
    "proof.passed": _("The fingerprint leads to the root {found} of its batch."),
    "proof.refused": _("The proof was changed: it does not lead from the movement to the batch's root."),
    "contract.passed": _("The receipt is for the contract that you trust."),
    "contract.refused": _("The receipt is for another contract ({found}) than the one that you trust."),
    "contract.address": _("Enter the address of the network's contract: 0x and 40 digits or letters from a to f."),
    # what the chain says
    "chain_id.passed": _("The node is on chain {found}, and its newest block is {newest}."),
    "chain_id.refused": _("The receipt is for chain {found}, not for chain {expected}, which you trust."),
    "chain_id.number": _("Enter the number of the chain, such as 31337."),
    "chain_id.node": _("This node is on chain {found}, not on chain {expected}. Enter the address of another node."),
    "code.passed": _("The contract is on this chain."),
    "code.refused": _("There is no contract at {contract} on this chain."),
    "root.passed": _("The contract recorded the same root for batch {batch}: the movement is in that batch."),
    "root.refused": _("The contract recorded another root for batch {batch}: the movement is not in that batch."),
    "root.none": _("The contract has no movements in batch {batch}."),
    "transaction.passed": _("The transaction closed the batch in block {block}. Movements in it: {entries}."),
    "transaction.refused": _("The transaction that the receipt names did not close batch {batch}."),
    "transaction.unknown": _(
        "The node does not know the transaction that the receipt names: the receipt was changed, or the node has forgotten "
        "transactions so old."
    ),
    "transaction.other": _("The node answered with another transaction. Enter the address of another node."),
    "transaction.block": _("The receipt says block {expected}, but its transaction is in block {found}."),
    "transaction.root": _("The transaction recorded another root than the receipt has."),
    "block.passed": _("Block {block} of {time} is part of the chain. Blocks after it: {newer}."),
    "block.refused": _("The chain has another block {block}: the movement was undone, or the node contradicts itself."),
    "block.unknown": _("The node does not have block {block}. Enter the address of another node."),
    "entry.passed": _("The chain's own record of the movement has the same values, one by one."),
    "entry.refused": _("The transaction has no record of this movement."),
    "head.passed": _("The batch is one of {batches} in an unbroken chain of batches."),
    "head.other": _("The contract's newest batch is this one, but its place in the chain of batches is another."),
    "head.refused": _("The batch does not follow from the one before it."),
    "head.noted": _("The node did not show the batch before this one, so we did not recompute how they are chained."),
    "signature.passed": _("Merchant number {merchant} signed the order, with the key {key}."),
    "signature.refused": _("The signature below the order is not merchant number {merchant}'s."),
    "signature.noted": _(
        "The node did not show the order, so we did not recompute its signature. The contract did when it accepted it."
    ),
    # a node that is no help
    "rpc.url": _("Enter the address of a chain node, which begins with https:// or http://."),
    "rpc.password": _("Browsers ask no address with a name and password in it. Enter another one."),
    "rpc.insecure": _(
        "This page came by https, so your browser refuses to ask {url}. Enter an address with https, or a node on your own "
        "machine."
    ),
    "rpc.blocked": _(
        "{url} answers, but does not allow web pages to read the answer (CORS). Ask whoever runs the node to allow it, or "
        "enter the address of another one."
    ),
    "rpc.unreachable": _("Nobody answers at {url}. Check the address and your connection, or enter another node's."),
    "rpc.slow": _("{url} did not answer within {seconds} seconds. Try again, or enter the address of another node."),
    "rpc.status": _("The node refuses to answer ({status}: {said}). Enter the address of another one."),
    "rpc.answer": _("What answers there is no chain node; it said “{said}”. Check the address."),
    "rpc.error": _("The node could not answer {method}: {said}. Try again, or enter the address of another one."),
    "rpc.behind": _(
        "The node has only come to block {newest}, and the receipt is from block {block}. Wait a little, or enter the address "
        "of another node."
    ),
    "rpc.no_contract": _("What is at {contract} on this chain is no clearing house. Check contract and chain."),
}

_WORDS: Mapping[str, Text] = {
    "passed": _("Passed:"),
    "noted": _("Not checked:"),
    "refused": _("Refused:"),
    "undecided": _("Could not be checked:"),
    "kind.issue": _("Points were issued"),
    "kind.redeem": _("Points were redeemed"),
    "kind.exchange": _("Points were exchanged"),
    "kind.spend": _("Points were spent at another merchant's"),
    "kind.transfer": _("Points went to another member"),
    "kind.reverse": _("An earlier movement was undone"),
    "kind.expire": _("Points expired"),
}

SENTENCES: Mapping[str, Text] = {**_STEPS, **_WORDS}
"""By code, and by the word for a verdict or a kind."""
