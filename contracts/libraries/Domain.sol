// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Domain
/// @notice The EIP-712 domain of a clearing house.
library Domain {
    string internal constant NAME = "Tongdui";
    string internal constant VERSION = "1";

    bytes32 private constant NAME_HASH = keccak256(bytes(NAME));
    bytes32 private constant VERSION_HASH = keccak256(bytes(VERSION));

    bytes32 private constant TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice The domain separator of the clearing house at `verifyingContract`, on this chain.
    function separatorOf(address verifyingContract) internal view returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, verifyingContract));
    }
}
