// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title TypedData
/// @notice The EIP-712 domain, and who signed what.
/// @dev OpenZeppelin's EIP712 would do, but keeps names of any length, with code that has no room here.
abstract contract TypedData {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @dev Half of the order of secp256k1, rounded down.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    uint256 private immutable CHAIN_ID = block.chainid;
    bytes32 private immutable SEPARATOR = _buildSeparator();

    /// @dev Computed anew if the chain forked away under another id.
    function _domainSeparator() internal view returns (bytes32) {
        return block.chainid == CHAIN_ID ? SEPARATOR : _buildSeparator();
    }

    function _buildSeparator() private view returns (bytes32) {
        return
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Tongdui"), keccak256("1"), block.chainid, address(this)));
    }

    /// @notice The domain, for wallets that ask (ERC-5267).
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (hex"0f", "Tongdui", "1", block.chainid, address(this), 0, new uint256[](0));
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash);
    }

    /// @dev The key that made the compact signature (ERC-2098), or 0. A signature with the larger one of the two possible `s` is not
    /// one, as everywhere since EIP-2.
    function _recover(bytes32 digest, bytes32 r, bytes32 vs) internal pure returns (address) {
        uint256 s = uint256(vs) & type(uint256).max >> 1;
        if (s > HALF_ORDER) return address(0);
        unchecked {
            return ecrecover(digest, uint8((uint256(vs) >> 255) + 27), r, bytes32(s));
        }
    }
}
