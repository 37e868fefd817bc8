// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Where a clearing house is between its birth and its end.
enum Stage {
    Operating,
    Importing, // takes over a predecessor's state; nothing else works
    Frozen // for ever: nothing changes any more
}

/// @notice What a leaf of a snapshot is about. The numbers are part of the snapshot's format: append only.
/// @dev Each comment says what the leaf's key is. The word is the slot's, as `libraries/StorageLayout.sol` and `types/` draw it,
/// except for the last three: the contract keeps none of them, but only says in an event that they were imported.
enum LeafKind {
    None,
    Network, // 0: numbers of merchants and programs; 1: of agreements; 2: funds; 3: newest batch and pause; 4: head
    Merchant, // its number
    Signer, // the key's address
    Nonces, // merchant << 40 | nonce >> 8
    Program, // its number << 8 | which of its slots
    Agreement, // its number << 8 | which of its slots
    Terms, // the digest that both merchants signed
    Balances, // page << 160 | member
    BankReference, // the bank reference
    Root, // the batch
    Reversed, // the entry's leaf
    Name, // the merchant's number; the word is its name
    Document, // the agreement's number; the word is the hash of its document
    Lot // program << 160 | member; word: points << 120 | day made << 88 | expiryDay << 56 | batch << 16 | index
}

/// @notice One fact of a snapshot.
struct Leaf {
    LeafKind kind;
    uint256 key;
    uint256 word;
}

/// @notice The clearing house whose state another one takes over, and the snapshot that says what that state is.
/// @param chainId The chain that it is on.
/// @param house Its address.
/// @param leaves The number of the snapshot's leaves.
/// @param head The final head of its journal.
/// @param root The Merkle root of the snapshot (see `libraries/MerkleTree.sol`): leaf `i` hashes
/// `abi.encode(i, kind, key, word)`, 128 bytes, so no leaf can pass for a node or for an entry, nor stand at another's place.
struct Predecessor {
    uint64 chainId;
    address house;
    uint32 leaves;
    bytes32 head;
    bytes32 root;
}

/// @title IClearingHouseSuccession
/// @notice How a clearing house ends, and how another one goes on in its place with the same state. Ask the house itself: it has
/// these functions carried out, on its own storage, by the contract that `IClearingHouse.succession` names.
interface IClearingHouseSuccession {
    /// @notice The house was frozen. Whatever it answers is final, and nobody owns it any more.
    event Frozen(
        uint40 batches, bytes32 head, int256 fundsMicros, uint32 merchants, uint32 programs, uint32 agreements
    );
    /// @notice The house began to take over a predecessor's state.
    event ImportBegun(Predecessor predecessor);
    /// @notice The house took over leaf `index` of its predecessor's snapshot.
    event LeafImported(uint256 indexed index, LeafKind kind, uint256 key, uint256 word);
    /// @notice The house has its predecessor's whole state and works.
    event Opened(uint40 batches, bytes32 head, int256 fundsMicros);

    /// @notice The house is not in the stage that the call needs.
    error WrongStage(Stage stage);
    /// @notice The house has merchants, programs, batches, money or a predecessor already: deploy a new one.
    error NotEmpty();
    /// @notice The predecessor has no address, no leaf or no root.
    error BadPredecessor();
    /// @notice Leaf `next` is the next one.
    error UnexpectedLeaf(uint256 given, uint256 next);
    /// @notice A chunk has 256 leaves, and the last one the rest.
    error BadChunk(uint256 leaves, uint256 expected);
    /// @notice The proof does not lead from the chunk's leaves to the snapshot's root.
    error BadProof(uint256 first);
    /// @notice A leaf has a kind or a key that nothing in the house belongs to.
    error BadLeaf(uint256 index);
    /// @notice The slot of the leaf is not empty.
    error AlreadyImported(uint256 index);
    /// @notice Leaves are missing.
    error ImportIncomplete(uint256 imported, uint256 leaves);
    /// @notice So many sums differ: of a program's balances or lots from its points in circulation, or of all positions from the
    /// money in the bank.
    error TotalsDiffer(uint256 sums);
    /// @notice The imported head is not the one that was announced.
    error HeadDiffers(bytes32 imported, bytes32 announced);

    /// @notice Ends this house: nothing in it ever changes again. Role: owner, which there is none of afterwards.
    function freeze() external;

    /// @notice Makes this house, to which nothing has happened yet, the successor of another one. Role: owner.
    function beginImport(Predecessor calldata predecessor) external;

    /// @notice Takes over the next chunk of the snapshot: leaves `first` to `first + leaves.length`. Anyone may send it, because the
    /// root says what is right.
    /// @param proof The Merkle proof of the chunk's own root, which is a node of the tree.
    function importLeaves(uint256 first, Leaf[] calldata leaves, bytes32[] calldata proof) external;

    /// @notice Sets the house to work, if every leaf was imported and all sums are right. Role: owner.
    function open() external;
}
